#!/usr/bin/env bash
# Installs Calico through its operator. sealer runs it on the first master, once the cluster is up, as
# `cd ROOTFS && bash application/apps/calico/calico.sh`. Run again, it changes nothing that is as it should be.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../../.."

# sealer does not say here which registry the cluster has, so the cluster is asked.
cluster_registry() {
    kubectl --namespace kube-system get configmap kubeadm-config --output 'jsonpath={.data.ClusterConfiguration}' |
        sed -n 's/^imageRepository: *//p'
}

# apply: --server-side, because the operator's definitions are too long for the annotation that the client would write.
apply() { kubectl apply --server-side --force-conflicts --filename -; }

registry=${RegistryURL:-$(cluster_registry)}
: "${registry:?the cluster does not say where its images come from: set RegistryURL}"

sed -E "s|(image: *[\"']?)[^ \"']*/(tigera/operator[:@])|\1$registry/\2|" applications/tigera-operator.yaml | apply
kubectl wait --for=condition=Established --timeout=120s \
    crd/installations.operator.tigera.io crd/apiservers.operator.tigera.io
sed -E "s|(^ *registry: *)[^ ]+|\1\"$registry/\"|" applications/custom-resources.yaml | apply
