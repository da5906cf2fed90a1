#!/usr/bin/env bash
# Installs flannel. sealer runs it on the first master, once the cluster is up, as
# `cd ROOTFS && bash application/apps/flannel/flannel.sh`. Run again, it changes nothing that is as it should be.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../../.."
# shellcheck source=../rootfs/scripts/cluster.sh
source scripts/cluster.sh

# networks PODSUBNET: the members of net-conf.json that say which networks the pods get; PODSUBNET is one, or two of
# both families. https://github.com/flannel-io/flannel/blob/v0.28.10/Documentation/configuration.md
networks() {
    local network
    for network in ${1//,/ }; do
        case $network in
            *:*) printf '"EnableIPv6": true, "IPv6Network": "%s", ' "$network" ;;
            *) printf '"EnableIPv4": true, "Network": "%s", ' "$network" ;;
        esac
    done
    case $1 in
        *.*) ;;
        *) printf '"EnableIPv4": false, ' ;;
    esac
}

registry=$(cluster_registry)
pods=$(cluster_setting '  podSubnet' | tr -d "\"'")
: "${pods:?the cluster has no podSubnet, which flannel needs}"
sed -E -e "s|(image: *[\"']?)[^/ \"']+/|\1$registry/|" \
    -e "s|^( *)\"Network\": *\"[^\"]*\", *$|\1$(networks "$pods")|" applications/kube-flannel.yml |
    kubectl apply --filename -
