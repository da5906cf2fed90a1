#!/usr/bin/env bash
# Installs image-cri-shim, through which the kubelet and crictl take images from the private registry.
set -euo pipefail
# shellcheck source=node.sh
source "$(dirname "${BASH_SOURCE[0]}")/node.sh"

begin shim
put /usr/bin/image-cri-shim 0755 <"$ROOTFS/cri/image-cri-shim"
put /etc/image-cri-shim.yaml 0600 <"$ROOTFS/etc/image-cri-shim.yaml"
# sealos edits it (upgrade, registry passwd), the registry's password is in it: it goes whatever it holds.
exists "$SAVED/etc/image-cri-shim.yaml" || note tree - /etc/image-cri-shim.yaml
put /etc/systemd/system/image-cri-shim.service 0644 <"$ROOTFS/etc/image-cri-shim.service"
start_units image-cri-shim.service
for _ in {1..60}; do
    if [ -S "${SEALOS_SYS_IMAGE_ENDPOINT:-/var/run/image-cri-shim.sock}" ]; then exit; fi
    sleep 0.5
done
die "image-cri-shim does not listen; the reason is in: journalctl -u image-cri-shim.service"
