#!/usr/bin/env bash
# Prepares the running kernel before each start of the kubelet: modules, switches, no swap. It edits no file of the
# node, and what the kernel refuses is told in the journal but does not keep the kubelet down.
set -euo pipefail

warn() { echo "kubelet-pre-start: $*" >&2; }

if [ "$(wc -l </proc/swaps)" -gt 1 ]; then
    swapoff -a || warn "cannot turn swap off"
fi

while read -r module; do
    modprobe -q -- "$module" || warn "cannot load the kernel module $module"
done </etc/modules-load.d/clusterimage.conf

while IFS=' =' read -r key value; do
    switch=/proc/sys/${key//.//}
    if [ ! -e "$switch" ]; then
        warn "this kernel has no $key"
    elif [ "$(cat "$switch")" != "$value" ]; then
        echo "$value" >"$switch" || warn "cannot set $key to $value"
    fi
done </etc/sysctl.d/99-clusterimage.conf
