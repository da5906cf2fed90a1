#!/usr/bin/env bash
# Serves the saved images as the cluster's private registry. DATA is a link to registry/ of this image by now, and
# etc/registry_htpasswd is there: both are sealos'.
# sealos runs it on each registry host as `cd ROOTFS/scripts && bash init-registry.sh DATA CONFIG`.
set -euo pipefail
DATA=${1:?usage: init-registry.sh DATA CONFIG}
CONFIG=${2:?usage: init-registry.sh DATA CONFIG}
set --
# shellcheck source=sealos.sh
source "$(dirname "${BASH_SOURCE[0]}")/sealos.sh"

[ -d "$DATA" ] || die "$DATA is no folder: it must hold the saved images"
begin sealos-registry
put /usr/bin/registry 0755 <"$ROOTFS/cri/registry"
put "$CONFIG/registry_config.yml" 0644 <"$ROOTFS/etc/registry_config.yml"
put "$CONFIG/registry_htpasswd" 0600 <"$ROOTFS/etc/registry_htpasswd"
put /etc/systemd/system/registry.service 0644 <"$ROOTFS/etc/registry.service"
if ! systemctl is-active --quiet registry.service && listening "${REGISTRY_URL##*:}"; then
    die "port ${REGISTRY_URL##*:} is taken by another program: stop it, or set registryPort"
fi
start_units registry.service
for _ in {1..60}; do
    if listening "${REGISTRY_URL##*:}"; then exit; fi
    sleep 0.5
done
die "the registry does not listen on port ${REGISTRY_URL##*:}; the reason is in: journalctl -u registry.service"
