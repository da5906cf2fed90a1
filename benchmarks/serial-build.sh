#!/usr/bin/env bash
# The whole job as a shell script does it: one version and runtime, everything one after another, everything anew.
# It stands for basefs' auto-build, whose own build tool is not packaged: it fetches, unpacks and copies in the same order,
# and packs with umoci, which is faster than the tool that it stands for.
#
#   serial-build.sh LISTS FILES REGISTRY OUT
#
#   LISTS     folder with `files` (ARCH CNI PLACE MEMBER URL; - for none) and `images` (CNI HOST/REPO:TAG)
#   FILES     http://HOST:PORT, where https://X is published as /X
#   REGISTRY  HOST:PORT, where X is published as /X
#   OUT       made anew: OUT/<arch>-<cni> are OCI layouts, OUT/registry is what was saved
set -euo pipefail
lists=$1 files=$2 registry=$3 out=$4
work=$(mktemp -d "$out.XXXXXX")
trap 'rm -rf "$work"' EXIT
rm -rf "$out"
mkdir -p "$out/registry"

while read -r arch cni place member url; do
  tree=$work/$arch/$cni
  mkdir -p "$(dirname "$tree/$place")"
  wget -q -O "$work/download" "$files/${url#https://}"
  if [[ $member == - ]]; then
    mv "$work/download" "$tree/$place"
  else
    mkdir "$work/unpacked"
    case $url in
      *gz) tar -xzf "$work/download" -C "$work/unpacked" ;;
      *) tar -xf "$work/download" -C "$work/unpacked" ;;
    esac
    mv "$work/unpacked/$member" "$tree/$place"
    rm -rf "$work/unpacked"
  fi
done <"$lists/files"

port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
cat >"$work/registry.yml" <<END
version: 0.1
log: {level: error, accesslog: {disabled: true}}
storage: {filesystem: {rootdirectory: $out/registry}}
http: {addr: "127.0.0.1:$port"}
END
docker-registry serve "$work/registry.yml" >/dev/null 2>&1 &
server=$!
trap 'kill "$server"; rm -rf "$work"' EXIT
until curl -sf "http://127.0.0.1:$port/v2/" >/dev/null; do sleep 0.05; done
while read -r image; do
  skopeo copy --quiet --all --src-tls-verify=false --dest-tls-verify=false \
    "docker://$registry/$image" "docker://127.0.0.1:$port/${image#*/}"
done <"$lists/images"

for arch in amd64 arm64; do
  for cni in none calico; do
    rootfs=$work/rootfs
    mkdir "$rootfs"
    cp -a "$lists/context/." "$rootfs"
    [[ ! -d $work/$arch/none ]] || cp -a "$work/$arch/none/." "$rootfs"
    [[ ! -d $work/any/none ]] || cp -a "$work/any/none/." "$rootfs"
    [[ $cni == none || ! -d $work/any/$cni ]] || cp -a "$work/any/$cni/." "$rootfs"
    [[ $cni == none || ! -d $work/$arch/$cni ]] || cp -a "$work/$arch/$cni/." "$rootfs"
    cp -a "$out/registry" "$rootfs/registry"
    umoci init --layout "$out/$arch-$cni"
    umoci new --image "$out/$arch-$cni:v1"
    umoci insert --rootless --image "$out/$arch-$cni:v1" "$rootfs" /
    rm -rf "$rootfs"
  done
done
