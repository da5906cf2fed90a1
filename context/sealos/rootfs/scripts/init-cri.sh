#!/usr/bin/env bash
# Installs the container runtime: what the runtime's own script does, told which registry the cluster has.
# sealos runs it on each node as `cd ROOTFS/scripts && bash init-cri.sh DOMAIN PORT`, its variables exported.
set -euo pipefail
# shellcheck source=sealos.sh
source "$(dirname "${BASH_SOURCE[0]}")/sealos.sh"
bash "$SCRIPTS/$RUNTIME.sh"
