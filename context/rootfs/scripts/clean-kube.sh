#!/usr/bin/env bash
# Undoes init-kube.sh. Swap and kernel switches are as before after the next boot.
set -euo pipefail
# shellcheck source=node.sh
source "$(dirname "${BASH_SOURCE[0]}")/node.sh"

if [ -e "$STATE/kube.files" ] && [ -e /etc/kubernetes/kubelet.conf ]; then
    # sealer has reset the node before; without sealer, kubeadm itself knows best what it made.
    kubeadm reset --force || warn "kubeadm reset failed; going on"
fi
remove_part kube
