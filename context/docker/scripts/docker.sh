#!/usr/bin/env bash
# Installs Docker, and cri-dockerd where the image holds it, or uses the Docker that is already on the node.
# sealer runs it on each node as `bash ROOTFS/scripts/docker.sh`; it is safe to run again.
set -euo pipefail
# shellcheck source=node.sh
source "$(dirname "${BASH_SOURCE[0]}")/node.sh"

OLDEST=18.09 # the oldest Docker that Kubernetes and the registry's certificates work with

# daemon_json: etc/daemon.json for the registry and cgroup driver of this cluster. Stock Docker asks a mirror for
# images of docker.io only; all others are named with the registry's own address.
daemon_json() {
    local insecure=''
    if [ "$REGISTRY_SCHEME" = http ]; then insecure="\"$REGISTRY_URL\""; fi
    sed -E -e "s|(\"registry-mirrors\": *\[)\"[^\"]*\"|\1\"$REGISTRY_SCHEME://$REGISTRY_URL\"|" \
        -e "s|(\"insecure-registries\": *\[)\]|\1$insecure]|" \
        -e "s|native.cgroupdriver=[a-z]+|native.cgroupdriver=$CGROUP_DRIVER|" "$ROOTFS/etc/daemon.json"
}

install_docker() {
    local data
    data=$(sed -n 's/.*"data-root": *"\([^"]*\)".*/\1/p' "$ROOTFS/etc/daemon.json")
    claim /etc/docker "${data:-/var/lib/docker}" /run/docker /run/containerd /opt/containerd
    claim_links docker0
    claim_chains DOCKER
    unpack "$ROOTFS/cri/docker.tar.gz" /usr/bin
    daemon_json | put /etc/docker/daemon.json 0644
    put /etc/systemd/system/docker.service 0644 <"$ROOTFS/etc/docker.service"
}

use_docker() {
    local version driver
    version=$(dockerd --version | sed -E 's/^Docker version ([^, ]+).*/\1/')
    at_least "$OLDEST" "$version" || die "docker $version on this node is too old: remove it, or update it to $OLDEST"
    systemctl start docker.service || die "docker $version on this node does not start: repair or remove it"
    driver=$(docker info --format '{{.CgroupDriver}}')
    [ "$driver" = "$CGROUP_DRIVER" ] || die "docker on this node uses the cgroup driver $driver:" \
        "set \"exec-opts\": [\"native.cgroupdriver=$CGROUP_DRIVER\"] in /etc/docker/daemon.json and restart it"
    say "using docker $version that is already on this node"
}

# install_cri_dockerd: Kubernetes 1.24 and later speaks to Docker through it.
install_cri_dockerd() {
    claim /var/lib/cri-dockerd
    unpack "$ROOTFS/cri/cri-dockerd.tar.gz" /usr/bin
    sed -E "s|=[^ =]*/pause:|=$REGISTRY_URL/pause:|" "$ROOTFS/etc/cri-docker.service" |
        put /etc/systemd/system/cri-docker.service 0644
    put /etc/systemd/system/cri-docker.socket 0644 <"$ROOTFS/etc/cri-docker.socket"
}

bash "$SCRIPTS/check.sh"
begin docker
prepare_kernel # first: a Docker that finds forwarding turned on leaves the FORWARD policy of iptables as it is
units=()
if foreign dockerd; then
    use_docker
else
    install_docker
    units+=(docker.service)
fi
trust_registry /etc/docker/certs.d
install_cni
install_seautil
if [ -e "$ROOTFS/cri/cri-dockerd.tar.gz" ]; then
    install_cri_dockerd
    units+=(cri-docker.socket cri-docker.service)
    announce_socket unix:///var/run/cri-dockerd.sock
else
    announce_socket /var/run/dockershim.sock
fi
if [ "${#units[@]}" -gt 0 ]; then start_units "${units[@]}"; fi
load_images
