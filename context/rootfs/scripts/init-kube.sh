#!/usr/bin/env bash
# Installs kubeadm, kubelet, kubectl and their tools, ready for `kubeadm init` or `kubeadm join`.
# sealer runs it on each node as `cd ROOTFS/scripts && bash init-kube.sh`, after the runtime and the registry.
set -euo pipefail
# shellcheck source=node.sh
source "$(dirname "${BASH_SOURCE[0]}")/node.sh"

install_programs() {
    local program
    for program in "$ROOTFS"/bin/*; do
        case ${program##*/} in
            kubeadm | kubelet | kubectl | seautil) put "/usr/bin/${program##*/}" 0755 <"$program" ;;
            *) put_new "/usr/bin/${program##*/}" 0755 <"$program" ;;
        esac
    done
    put /usr/bin/kubelet-pre-start.sh 0755 <"$SCRIPTS/kubelet-pre-start.sh"
}

install_units() {
    put /etc/systemd/system/kubelet.service 0644 <"$ROOTFS/etc/kubelet.service"
    put /etc/systemd/system/kubelet.service.d/10-kubeadm.conf 0644 <"$ROOTFS/etc/10-kubeadm.conf"
    note unit - kubelet.service
    systemctl daemon-reload
    systemctl enable --quiet kubelet.service
    # kubeadm starts it. One that runs already takes the new files.
    if [ -e "$PENDING" ]; then systemctl try-restart kubelet.service; fi
    rm -f "$PENDING"
}

# sealer has written this file by now, and runs kubeadm on it next: the one moment at which it can be put right.
repair_kubeadm_config() {
    local config=/etc/kubernetes/kubeadm.yaml version
    if [ ! -e "$config" ]; then return; fi
    version=$(/usr/bin/kubeadm version -o short)
    cp -p "$config" "$config.new"
    bash "$SCRIPTS/repair-kubeadm.sh" "$version" <"$config" >"$config.new"
    if same "$config" "$config.new"; then
        rm -f "$config.new"
    else
        mv -f "$config.new" "$config"
        say "dropped from $config what Kubernetes $version no longer knows"
    fi
}

# await_registry: sealer wrote the registry's name into /etc/hosts a moment ago (in images of sealos there is no such
# list). A runtime that asked for any name before goes on with the old file for five seconds (Go, net/hosts.go), and
# kubeadm would give up at once.
await_registry() {
    local pause
    pause=$({ cat "$ROOTFS"/manifests/imageList* 2>/dev/null || true; } | sed -n 's|^[^/]*/\(pause:.*\)|\1|p')
    if [ -z "$pause" ]; then return; fi
    for _ in {1..8}; do
        if pull "$REGISTRY_URL/$pause" >/dev/null 2>&1; then return; fi
        sleep 1
    done
    warn "$RUNTIME cannot pull $REGISTRY_URL/$pause:" "$(pull "$REGISTRY_URL/$pause" 2>&1 | tail -n 1)"
}

pull() { if [ "$RUNTIME" = docker ]; then docker pull --quiet "$1"; else /usr/bin/crictl pull "$1"; fi; }

begin kube
claim /etc/kubernetes /var/lib/kubelet /var/lib/dockershim /var/lib/etcd /var/lib/calico /run/calico \
    /var/log/pods /var/log/containers /var/log/kubernetes /var/log/calico /usr/libexec/kubernetes
# What kube-proxy, the kubelet and networks make in the kernel. It goes last: a container would make it anew.
begin network
claim_links kube-ipvs0 cni0 flannel.1 flannel-v6.1 cilium_host cilium_vxlan vxlan.calico
claim_chains KUBE- FLANNEL- CILIUM_ cali
begin kube
install_programs
[ -e /etc/sysctl.d/99-clusterimage.conf ] || prepare_kernel
install_units
repair_kubeadm_config
await_registry
