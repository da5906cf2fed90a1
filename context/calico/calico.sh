#!/usr/bin/env bash
# Installs Calico through its operator. sealer runs it on the first master, once the cluster is up, as
# `cd ROOTFS && bash application/apps/calico/calico.sh`. Run again, it changes nothing that is as it should be.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../../.."
# shellcheck source=../rootfs/scripts/cluster.sh
source scripts/cluster.sh

# apply: --server-side, because the operator's definitions are too long for the annotation that the client would write.
apply() { kubectl apply --server-side --force-conflicts --filename -; }

registry=$(cluster_registry)
sed -E "s|(image: *[\"']?)[^ \"']*/(tigera/operator[:@])|\1$registry/\2|" applications/tigera-operator.yaml | apply
kubectl wait --for=condition=Established --timeout=120s \
    crd/installations.operator.tigera.io crd/apiservers.operator.tigera.io
sed -E "s|(^ *registry: *)[^ ]+|\1\"$registry/\"|" applications/custom-resources.yaml | apply
