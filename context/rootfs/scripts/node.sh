#!/usr/bin/env bash
# Knows what the scripts of this image share: where the image lies, its private registry, and how a container runtime
# is set up on a node. Sourced, never run. sealer 0.9.2 and later exports RegistryURL and the like.
# shellcheck disable=SC2034 # the variables are read by the scripts that source this

export PATH=$PATH:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin

SCRIPTS=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
ROOTFS=$(dirname "$SCRIPTS")
# shellcheck source=record.sh
source "$SCRIPTS/record.sh"

if [ -e "$SCRIPTS/docker.sh" ]; then RUNTIME=docker; else RUNTIME=containerd; fi

# registry_yml KEY: the registry that the image was built for.
registry_yml() { awk -v key="$1:" '$1 == key { gsub(/["\047]/, "", $2); print $2 }' "$ROOTFS/etc/registry.yml"; }

REGISTRY_DOMAIN=${RegistryDomain:-$(registry_yml domain)}
REGISTRY_URL=${RegistryURL:-$REGISTRY_DOMAIN:${RegistryPort:-$(registry_yml port)}}
# An insecure registry cannot be told from the environment of sealer: the Clusterfile that asks for one says it in env.
if [ "${InsecureRegistry:-false}" = true ]; then REGISTRY_SCHEME=http; else REGISTRY_SCHEME=https; fi
CGROUP_DRIVER=${CgroupDriver:-systemd}

# at_least WANTED VERSION: compare two versions; what a distribution adds after +, ~ or - does not count.
at_least() { printf '%s\n%s\n' "$1" "${2%%[+~-]*}" | sort -V -C; }

# listening PORT: is a TCP port taken on this node?
listening() {
    { cat /proc/net/tcp /proc/net/tcp6 2>/dev/null || true; } |
        awk -v port="$(printf ':%04X' "$1")" '$4 == "0A" && $2 ~ port "$" { found = 1 } END { exit !found }'
}

# foreign COMMAND: is COMMAND on this node, and not from this image?
foreign() {
    local path other
    path=$(command -v "$1") || return 1
    if recorded "$path" >/dev/null; then return 1; fi
    if other=$(owner "$path"); then
        die "$path was installed by another cluster image: run its uninstall-$other.sh first"
    fi
}

# prepare_kernel: load the modules and set the switches that pods need, now and at each boot.
prepare_kernel() {
    local conntrack=nf_conntrack module
    at_least 4.19 "$(uname -r)" || conntrack=nf_conntrack_ipv4
    for module in overlay br_netfilter ip_vs ip_vs_rr ip_vs_wrr ip_vs_sh "$conntrack" ip_tables ip6_tables xt_set; do
        if modprobe -n -q "$module" 2>/dev/null; then echo "$module"; fi
    done | put /etc/modules-load.d/clusterimage.conf 0644
    {
        echo 'net.bridge.bridge-nf-call-iptables = 1'
        echo 'net.bridge.bridge-nf-call-ip6tables = 1'
        echo 'net.ipv4.ip_forward = 1'
        echo 'net.ipv4.conf.all.rp_filter = 0'
        if [ "${HostIPFamily:-4}" = 6 ]; then echo 'net.ipv6.conf.all.forwarding = 1'; fi
    } | put /etc/sysctl.d/99-clusterimage.conf 0644
    bash "$SCRIPTS/kubelet-pre-start.sh"
    if [ "$(wc -l </proc/swaps)" -gt 1 ] && [ "$(setting failSwapOn)" != false ]; then
        die "swap cannot be turned off here, and the kubelet does not start with it: turn it off on the host," \
            "or set failSwapOn: false of KubeletConfiguration"
    fi
}

# setting KEY: a value of the kubeadm configuration that the image was built with.
setting() { sed -n "/^ *$1: */{s///p;q}" "$ROOTFS/etc/kubeadm.yml"; }

# install_seautil: sealer leads a worker to the API servers with it before it runs init-kube.sh.
install_seautil() {
    if [ -e "$ROOTFS/bin/seautil" ]; then put /usr/bin/seautil 0755 <"$ROOTFS/bin/seautil"; fi
}

# unpack ARCHIVE DIR: put the programs in ARCHIVE, wherever they lie in it, flat into DIR.
unpack() {
    local work=$STATE/unpack path
    rm -rf "$work" # of a run that was interrupted
    mkdir "$work"
    tar -xzf "$1" -C "$work" --no-same-owner
    while read -r path; do
        put_new "$2/${path##*/}" 0755 <"$path"
    done < <(find "$work" -type f -perm -u+x)
    rm -rf "$work"
}

# install_cni: the plugins, and the folders that CNI providers and the plugins themselves write to.
install_cni() {
    claim /opt/cni /etc/cni /var/lib/cni
    unpack "$ROOTFS/cri/cni-plugins.tar.gz" /opt/cni/bin
}

# trust_registry DIR: let the runtime whose certs.d is DIR trust the registry; sealer brings a certificate made later.
trust_registry() {
    claim "$1" "$1/$REGISTRY_URL"
    if [ -e "$ROOTFS/certs/$REGISTRY_DOMAIN.crt" ]; then
        put "$1/$REGISTRY_URL/$REGISTRY_DOMAIN.crt" 0644 <"$ROOTFS/certs/$REGISTRY_DOMAIN.crt"
    fi
}

# announce_socket SOCKET: tell sealer (which reads the file as it is, without a newline) and crictl where the CRI is.
announce_socket() {
    printf '%s' "$1" | put /etc/sealerio/cri/socket-path 0644
    printf 'runtime-endpoint: unix://%s\nimage-endpoint: unix://%s\n' "${1#unix://}" \
        "${SEALOS_SYS_IMAGE_ENDPOINT:-${1#unix://}}" |
        put_new /etc/crictl.yaml 0644
}

# archive_images ARCHIVE: print the full name of each image in a docker-archive, and nothing for another format.
archive_images() {
    local name
    while read -r name; do
        case $name in
            */*) ;;
            *) name=library/$name ;;
        esac
        case ${name%%/*} in
            *[.:]* | localhost) echo "$name" ;;
            *) echo "docker.io/$name" ;;
        esac
    done < <(tar -xOf "$1" manifest.json 2>/dev/null |
        grep -o '"RepoTags": *\[[^]]*\]' | sed 's/^[^[]*//' | grep -o '"[^"]*"' | tr -d '"')
}

# has_image NAMESPACE NAME: namespaces are containerd's; docker has none.
has_image() {
    if [ "$RUNTIME" = docker ]; then
        docker image inspect "$2" >/dev/null 2>&1
    else
        ctr -n "$1" images ls -q "name==$2" | grep -qxF -- "$2"
    fi
}

# load_image NAMESPACE ARCHIVE: load an archive into the runtime; the images that were not there before are ours.
load_image() {
    local name
    while read -r name; do
        has_image "$1" "$name" || note image - "$1 $name"
    done < <(archive_images "$2")
    if [ "$RUNTIME" = docker ]; then
        docker load --quiet --input "$2"
    else
        gzip -dcf "$2" | ctr -n "$1" images import - # it reads plain archives only; gzip -f passes them on
    fi
}

# load_images: what users put into images/, for the kubelet. The registry's own image is for init-registry.sh.
load_images() {
    local archive
    for archive in "$ROOTFS"/images/*.tar*; do
        if [ -e "$archive" ] && [ "${archive##*/}" != registry.tar.gz ]; then load_image k8s.io "$archive"; fi
    done
}

# remove_image "NAMESPACE NAME": what load_image recorded.
remove_image() {
    if [ "$RUNTIME" = docker ]; then docker image rm "${1#* }"; else ctr -n "${1%% *}" images rm --sync "${1#* }"; fi
}
