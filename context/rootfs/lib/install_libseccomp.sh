#!/usr/bin/env bash
# Gives a node without libseccomp that library, for a container runtime of its own: the runc of this image needs none.
# Nothing calls this script; run it by hand where it is wanted, with `remove` to undo it. It builds, offline, from the
# two archives beside it.
set -euo pipefail
lib=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source=../scripts/node.sh
source "$lib/../scripts/node.sh"

if [ "${1:-}" = remove ]; then
    remove_part libseccomp
    ldconfig
    exit
fi
if ldconfig -p | grep -F libseccomp.so.2 >/dev/null; then
    say "libseccomp is on this node already"
    exit
fi
for tool in cc make; do
    command -v "$tool" >/dev/null || die "no libseccomp and no $tool to build it with: install the libseccomp package"
done

begin libseccomp
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# build NAME OPTION...: build the archive NAME-<version>.tar.gz into $work/root.
build() {
    local name=$1 source=$work/$1
    shift
    mkdir "$source"
    tar -xzf "$lib/$name"-*.tar.gz -C "$source" --strip-components 1 --no-same-owner
    {
        cd "$source" && ./configure --prefix=/usr/local --libdir=/usr/local/lib "$@" && make &&
            make install DESTDIR="$work/root"
    } >"$work/$name.log" 2>&1 || die "cannot build $name: $(tail -n 3 "$work/$name.log")"
}

build gperf
PATH=$work/root/usr/local/bin:$PATH build libseccomp --disable-static
put /usr/local/lib/libseccomp.so.2 0755 <"$work/root/usr/local/lib/libseccomp.so.2"
echo /usr/local/lib | put /etc/ld.so.conf.d/clusterimage.conf 0644
ldconfig
say "libseccomp is built and installed in /usr/local/lib"
