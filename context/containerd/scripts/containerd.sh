#!/usr/bin/env bash
# Installs containerd and runc, or uses the containerd that is already on the node.
# sealer runs it on each node as `bash ROOTFS/scripts/containerd.sh`; it is safe to run again.
set -euo pipefail
# shellcheck source=node.sh
source "$(dirname "${BASH_SOURCE[0]}")/node.sh"

CERTS=/etc/containerd/certs.d

# config_toml: etc/dump-config.toml for the registry and cgroup driver of this cluster.
config_toml() {
    local systemd=true
    if [ "$CGROUP_DRIVER" != systemd ]; then systemd=false; fi
    sed -E -e "s|\"[^\"]*/pause:|\"$REGISTRY_URL/pause:|" -e "s/SystemdCgroup = [a-z]+/SystemdCgroup = $systemd/" \
        "$ROOTFS/etc/dump-config.toml"
}

install_containerd() {
    claim /etc/containerd "${criData:-/var/lib/containerd}" /run/containerd /opt/containerd
    unpack "$ROOTFS/cri/containerd.tar.gz" /usr/local/bin
    put_new /usr/local/bin/runc 0755 <"$ROOTFS/cri/runc"
    config_toml | put /etc/containerd/config.toml 0644
    put /etc/systemd/system/containerd.service 0644 <"$ROOTFS/etc/containerd.service"
}

# suits CONFIG: does CONFIG, of another containerd, hold all that Kubernetes and the private registry need?
suits() {
    local wanted
    wanted=$(config_toml)
    ! grep -q '^disabled_plugins.*cri' <<<"$1" &&
        grep -q "config_path = [\"']$CERTS" <<<"$1" &&
        grep -qF "$(grep -o 'SystemdCgroup = [a-z]*' <<<"$wanted")" <<<"$1" &&
        grep -qF "$(grep -o '[^"]*/pause:[^"]*' <<<"$wanted")" <<<"$1"
}

# use_containerd: leave the node's containerd and its config.toml alone. Where that file does not suit, containerd is
# started with ours in its stead, on the same data.
use_containerd() {
    local version oldest=1.6.0 config
    if grep -q '^version = 3' "$ROOTFS/etc/dump-config.toml"; then oldest=2.0.0; fi
    version=$(containerd --version | awk '{ print $3 }')
    at_least "$oldest" "${version#v}" ||
        die "containerd $version on this node is too old: remove it, or update it to $oldest"
    say "using containerd $version that is already on this node"
    config=$(containerd config dump)
    if suits "$config"; then return; fi
    say "its config.toml does not suit this cluster: it runs with /etc/containerd/clusterimage.toml until uninstall"
    { grep -E '^(root|state) = ' <<<"$config" && config_toml | grep -vE '^(root|state) = '; } |
        put /etc/containerd/clusterimage.toml 0644
    printf '[Service]\nExecStart=\nExecStart=%s --config %s\n' "$(command -v containerd)" \
        /etc/containerd/clusterimage.toml | put /etc/systemd/system/containerd.service.d/clusterimage.conf 0644
    note reload - containerd.service
}

# restart_theirs: containers go on running meanwhile.
restart_theirs() {
    systemctl daemon-reload
    if [ -e "$PENDING" ]; then systemctl restart containerd.service; else systemctl start containerd.service; fi
    rm -f "$PENDING"
}

# hosts: one registry in containerd's hosts.toml. A registry outside of the cluster has a certificate that nodes trust.
hosts() {
    printf '[host."%s://%s"]\n  capabilities = ["pull", "resolve"]\n' "$REGISTRY_SCHEME" "$REGISTRY_URL"
    if [ "$REGISTRY_SCHEME" = https ] && [ -z "${ExternalRegistryURL:-}" ]; then
        printf '  ca = "%s"\n' "${RegistryCA:-$CERTS/$REGISTRY_URL/$REGISTRY_DOMAIN.crt}"
    fi
    if [ -n "${RegistryAuth:-}" ]; then
        printf '  [host."%s://%s".header]\n    Authorization = ["Basic %s"]\n' \
            "$REGISTRY_SCHEME" "$REGISTRY_URL" "$RegistryAuth"
    fi
}

# configure_registry: the private registry by its own name, and as the mirror that is asked first for all other names.
configure_registry() {
    trust_registry "$CERTS"
    hosts | put "$CERTS/_default/hosts.toml" 0644
    { printf 'server = "%s://%s"\n\n' "$REGISTRY_SCHEME" "$REGISTRY_URL" && hosts; } |
        put "$CERTS/$REGISTRY_URL/hosts.toml" 0644
}

bash "$SCRIPTS/check.sh"
begin containerd
prepare_kernel
if foreign containerd; then ours=no; else ours=yes; fi
if [ "$ours" = yes ]; then install_containerd; else use_containerd; fi
configure_registry
install_cni
install_seautil
announce_socket /run/containerd/containerd.sock
if [ "$ours" = yes ]; then start_units containerd.service; else restart_theirs; fi
load_images
