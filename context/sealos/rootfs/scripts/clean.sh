#!/usr/bin/env bash
# Removes all that init-cri.sh and init.sh installed on this node. sealos resets the node itself before.
set -euo pipefail
# shellcheck source=node.sh
source "$(dirname "${BASH_SOURCE[0]}")/node.sh"
bash "$SCRIPTS/uninstall-$RUNTIME.sh"
remove_part shim
