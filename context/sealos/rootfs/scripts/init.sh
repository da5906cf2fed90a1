#!/usr/bin/env bash
# Prepares a node for kubeadm once its runtime runs: image-cri-shim, kubeadm, kubelet, kubectl, and the pause image.
# sealos runs it on each node, last, as `cd ROOTFS/scripts && bash init.sh`.
set -euo pipefail
set -- # sealos.sh would take arguments for the registry's address
# shellcheck source=sealos.sh
source "$(dirname "${BASH_SOURCE[0]}")/sealos.sh"
bash "$SCRIPTS/init-shim.sh"
bash "$SCRIPTS/init-kube.sh"
# The runtime would ask for it without a password; the shim knows the password.
/usr/bin/crictl pull "$REGISTRY_URL/${sandboxImage:?sealos exports it from the ENV of the image}"
