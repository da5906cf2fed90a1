#!/usr/bin/env bash
# Knows what the script of a network (CNI) has to ask the cluster that it installs the network in. Sourced, never run.

# cluster_setting KEY: the value of a line of the cluster's ClusterConfiguration, with its indentation: '  podSubnet'.
cluster_setting() {
    kubectl --namespace kube-system get configmap kubeadm-config --output 'jsonpath={.data.ClusterConfiguration}' |
        sed -n "s/^$1: *//p"
}

# cluster_registry: where the cluster's images come from. sealer does not say it to those who are launched.
cluster_registry() {
    local registry=${RegistryURL:-$(cluster_setting imageRepository)}
    printf '%s\n' "${registry:?the cluster does not say where its images come from: set RegistryURL}"
}
