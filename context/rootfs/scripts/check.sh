#!/usr/bin/env bash
# Checks, before anything is changed, that this image can work on this node. One line a problem; the exit status says
# whether there was one; with IgnoreChecks=true it is told only, for a Clusterfile that sets what the image has not.
# What kubeadm's own preflight finds is left to kubeadm.
set -euo pipefail
# shellcheck source=node.sh
source "$(dirname "${BASH_SOURCE[0]}")/node.sh"

problems=0
problem() {
    warn "$@"
    problems=$((problems + 1))
}

# machine FILE: the processor that an ELF program is for, as `uname -m` spells it; nothing for a script.
machine() {
    case $(od -An -tx1 -N20 "$1" | tr -d ' \n') in
        7f454c46????????????????????????????3e00) echo x86_64 ;;
        7f454c46????????????????????????????b700) echo aarch64 ;;
        *) ;;
    esac
}

[ "$(id -u)" = 0 ] || problem "not run as root: start it as root or with sudo"
[ -d /run/systemd/system ] || problem "systemd does not run on this node: it starts the container runtime and kubelet"
for tool in awk find grep gzip sed tar; do
    command -v "$tool" >/dev/null || problem "$tool is not on this node: install it"
done

kubeadm=$ROOTFS/bin/kubeadm
if [ ! -e "$kubeadm" ]; then
    problem "$kubeadm is missing: the image was not copied whole"
else
    built_for=$(machine "$kubeadm")
    [ "${built_for:-$(uname -m)}" = "$(uname -m)" ] ||
        problem "the image is for $built_for but this node is $(uname -m): use the image of the other platform"
fi

kubernetes=$(setting kubernetesVersion)
# since MINOR: is the image of that Kubernetes minor or of a later one?
since() { [ -n "$kubernetes" ] && at_least "$1" "${kubernetes#v}"; }

# Below v1.26 kube-proxy falls back to iptables by itself: kubernetes@v1.26.0 cmd/kube-proxy/app/server_others.go.
if since 1.26 && grep -q '^mode: *"*ipvs' "$ROOTFS/etc/kubeadm.yml"; then
    [ -e /proc/net/ip_vs ] || modprobe -n -q ip_vs 2>/dev/null ||
        problem "this kernel has no module ip_vs, and kube-proxy $kubernetes does not start without it:" \
            "install it, or set mode: iptables of KubeProxyConfiguration"
fi
# kubernetes@v1.35.0 pkg/kubelet/apis/config/v1beta1/defaults.go: failCgroupV1.
if since 1.35 && [ "$(stat -fc %T /sys/fs/cgroup)" != cgroup2fs ] && [ "$(setting failCgroupV1)" != false ]; then
    problem "this node has cgroup v1, with which a kubelet $kubernetes does not start: boot it with" \
        "systemd.unified_cgroup_hierarchy=1, or set failCgroupV1: false of KubeletConfiguration"
fi

if ! systemctl is-active --quiet kubelet.service && listening 10250; then
    problem "port 10250 is taken, the kubelet needs it: stop the program that listens there"
fi
if systemctl is-active --quiet firewalld.service; then
    say "note: firewalld is active; it must let the nodes reach 6443, 2379-2380, 10250, the registry and the pods"
fi
[ "$problems" = 0 ] || [ "${IgnoreChecks:-false}" = true ]
