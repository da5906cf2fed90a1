#!/usr/bin/env bash
# Entry point of sealer 0.8, which runs it on each node as `cd scripts && bash init.sh /var/lib/docker DOMAIN PORT`.
# The first argument is a constant of sealer; where the runtime keeps its data is said in etc/daemon.json.
set -euo pipefail

export RegistryDomain=${2:-sea.hub} RegistryPort=${3:-5000}
export RegistryURL=$RegistryDomain:$RegistryPort
# sealer 0.8 brings the registry's certificate here, for containerd too.
export RegistryCA=/etc/docker/certs.d/$RegistryURL/$RegistryDomain.crt

# shellcheck source=node.sh
source "$(dirname "${BASH_SOURCE[0]}")/node.sh"
bash "$SCRIPTS/$RUNTIME.sh"
bash "$SCRIPTS/init-kube.sh"
