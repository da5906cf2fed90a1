#!/usr/bin/env bash
# Installs Cilium with its chart. sealer runs it on the first master, once the cluster is up, as
# `cd ROOTFS && bash application/apps/cilium/cilium.sh`. Run again, it brings the release to what the image holds.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../../.."
# shellcheck source=../rootfs/scripts/cluster.sh
source scripts/cluster.sh

registry=$(cluster_registry)
bin/helm upgrade --install cilium applications/cilium.tgz --namespace kube-system \
    --values applications/cilium-values.yaml \
    --set-string "image.repository=$registry/cilium/cilium,operator.image.repository=$registry/cilium/operator"
