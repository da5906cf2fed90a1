#!/usr/bin/env bash
# Undoes init-registry.sh, and takes away the link to the saved images, but no folder that somebody put in its place.
# sealos runs it on each registry host as `cd ROOTFS/scripts && bash clean-registry.sh DATA CONFIG`.
set -euo pipefail
DATA=${1:?usage: clean-registry.sh DATA CONFIG}
# shellcheck source=node.sh
source "$(dirname "${BASH_SOURCE[0]}")/node.sh"
remove_part sealos-registry
if [ -L "$DATA" ]; then rm -f "$DATA"; fi
