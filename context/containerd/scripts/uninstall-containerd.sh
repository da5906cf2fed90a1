#!/usr/bin/env bash
# Removes what containerd.sh, init-registry.sh and init-kube.sh put on this node, and nothing else.
# sealer resets the node itself before, and runs this last.
set -euo pipefail
# shellcheck source=node.sh
source "$(dirname "${BASH_SOURCE[0]}")/node.sh"

# stop_containers: containerd leaves containers running when it stops; those of our own containerd end with it.
stop_containers() {
    local namespace container
    for namespace in $(ctr namespaces ls -q); do
        for container in $(ctr -n "$namespace" containers ls -q); do
            ctr -n "$namespace" tasks rm --force "$container" >/dev/null 2>&1 || true
            ctr -n "$namespace" containers rm "$container" || warn "cannot remove the container $container"
        done
    done
}

bash "$SCRIPTS/clean-kube.sh"
remove_part registry
ctr namespaces rm sealer-registry >/dev/null 2>&1 || true # empty by now, where there is one
if [ -e "$STATE/containerd.files" ]; then
    begin containerd
    if recorded containerd.service >/dev/null && ctr version >/dev/null 2>&1; then
        stop_containers
    fi
fi
remove_part containerd
remove_part network
