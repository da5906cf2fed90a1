#!/usr/bin/env bash
# Removes what docker.sh, init-registry.sh and init-kube.sh put on this node, and nothing else.
# sealer resets the node itself before, and runs this last.
set -euo pipefail
# shellcheck source=node.sh
source "$(dirname "${BASH_SOURCE[0]}")/node.sh"

bash "$SCRIPTS/clean-kube.sh"
if docker inspect sealer-registry >/dev/null 2>&1; then docker rm --force --volumes sealer-registry; fi
remove_part registry
remove_part docker
remove_part network
