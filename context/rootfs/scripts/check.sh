#!/usr/bin/env bash
# Checks, before anything is changed, that this image can work on this node. One line a problem; the exit status says
# whether there was one. What kubeadm's own preflight finds is left to kubeadm.
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

if ! systemctl is-active --quiet kubelet.service && listening 10250; then
    problem "port 10250 is taken, the kubelet needs it: stop the program that listens there"
fi
if systemctl is-active --quiet firewalld.service; then
    say "note: firewalld is active; it must let the nodes reach 6443, 2379-2380, 10250, the registry and the pods"
fi
[ "$problems" = 0 ]
