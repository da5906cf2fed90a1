#!/usr/bin/env bash
# Exit of sealer 0.8: removes all that init.sh and init-registry.sh installed on this node.
set -euo pipefail
# shellcheck source=node.sh
source "$(dirname "${BASH_SOURCE[0]}")/node.sh"
bash "$SCRIPTS/uninstall-$RUNTIME.sh"
