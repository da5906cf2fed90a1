#!/usr/bin/env bash
# Serves the saved images as the cluster's private registry, from the image that images/registry.tar.gz holds.
# sealer runs it on each registry host as `cd ROOTFS/scripts && bash init-registry.sh PORT REGISTRY_DIR DOMAIN`.
# A registry that serves with the same settings already is left running. certs/ and etc/registry_htpasswd are sealer's.
set -euo pipefail
# shellcheck source=node.sh
source "$(dirname "${BASH_SOURCE[0]}")/node.sh"

NAME=sealer-registry # the name that sealer looks for
ARCHIVE=$ROOTFS/images/registry.tar.gz
PORT=${1:?usage: init-registry.sh PORT REGISTRY_DIR DOMAIN}
DATA=${2:?usage: init-registry.sh PORT REGISTRY_DIR DOMAIN}
DOMAIN=${3:?usage: init-registry.sh PORT REGISTRY_DIR DOMAIN}

# choose_settings: what the registry runs with. Its configuration file stays as it is; environment outranks it.
choose_settings() {
    local config=$ROOTFS/etc/registry_config.yml certs=$ROOTFS/certs htpasswd=$ROOTFS/etc/registry_htpasswd
    read -r image < <(archive_images "$ARCHIVE") ||
        die "$ARCHIVE holds no named image: it must be a docker-archive of a registry"
    environment=("REGISTRY_HTTP_ADDR=:$PORT")
    # version 2 of the image reads the first path, version 3 the second
    mounts=("$config:/etc/docker/registry/config.yml" "$config:/etc/distribution/config.yml")
    if [ -e "$certs/$DOMAIN.crt" ]; then
        [ -e "$certs/$DOMAIN.key" ] || die "$certs/$DOMAIN.crt has no key: put $DOMAIN.key beside it"
        environment+=(REGISTRY_HTTP_TLS_CERTIFICATE=/certs/tls.crt REGISTRY_HTTP_TLS_KEY=/certs/tls.key)
        mounts+=("$certs/$DOMAIN.crt:/certs/tls.crt" "$certs/$DOMAIN.key:/certs/tls.key")
    fi
    if [ -e "$htpasswd" ]; then
        environment+=(REGISTRY_AUTH=htpasswd REGISTRY_AUTH_HTPASSWD_{PATH=/htpasswd,REALM=registry})
        mounts+=("$htpasswd:/htpasswd")
    fi
    fingerprint=$({
        printf '%s\n' "$DATA" "${environment[@]}" "${mounts[@]}"
        cat "$ARCHIVE" "${mounts[@]%%:*}"
    } | sha256sum | cut -d' ' -f1)
}

wait_until_serving() {
    local _
    for _ in {1..60}; do
        if listening "$PORT"; then
            say "the registry serves $DATA on port $PORT"
            return
        fi
        sleep 0.5
    done
    die "the registry does not listen on port $PORT; the reason is in: $1"
}

# free_port: told before the container is made, since its own message would be hidden in a log.
free_port() {
    if listening "$PORT"; then die "port $PORT is taken by another program: stop it, or choose another port"; fi
}

serve_with_docker() {
    local mount options=()
    if [ "$(docker inspect --format '{{.State.Running}} {{.Config.Labels.clusterimage}}' "$NAME" 2>/dev/null)" = \
        "true $fingerprint" ]; then
        say "the registry serves already"
        return
    fi
    docker rm --force --volumes "$NAME" >/dev/null 2>&1 || true
    free_port
    load_image - "$ARCHIVE"
    for mount in "${mounts[@]}"; do options+=(--volume "$mount:ro"); done
    for mount in "${environment[@]}"; do options+=(--env "$mount"); done
    docker run --detach --name "$NAME" --restart always --net host --label "clusterimage=$fingerprint" \
        --volume "$DATA:/var/lib/registry" "${options[@]}" "$image" >/dev/null
    wait_until_serving "docker logs $NAME"
}

# unit: the registry as a service of systemd, which restarts it and keeps its log. Its own namespace keeps it away from
# the kubelet's garbage collector. A container that a crash left behind would stand in the way, so it goes first.
unit() {
    local ctr mount
    ctr="$(command -v ctr) -n $NAME"
    printf '[Unit]\nDescription=Private registry of the cluster\n# settings: %s\n' "$fingerprint"
    printf 'Requires=containerd.service\nAfter=containerd.service network.target\n\n[Service]\n'
    printf "Exec%s=-$ctr %s $NAME\n" StartPre "tasks rm --force" StartPre "containers rm" StartPre "snapshots rm"
    printf 'ExecStart=%s run --rm --net-host' "$ctr"
    printf ' --mount type=bind,src=%s,dst=/var/lib/registry,options=rbind:rw' "$DATA"
    for mount in "${mounts[@]}"; do
        printf ' --mount type=bind,src=%s,dst=%s,options=rbind:ro' "${mount%%:*}" "${mount#*:}"
    done
    printf ' --env %s' "${environment[@]}"
    printf ' %s %s\n' "$image" "$NAME"
    printf "Exec%s=-$ctr %s $NAME\n" StopPost "tasks rm --force" StopPost "containers rm"
    printf 'Restart=always\nRestartSec=2\n\n[Install]\nWantedBy=multi-user.target\n'
}

serve_with_containerd() {
    unit | put "/etc/systemd/system/$NAME.service" 0644
    if [ ! -e "$PENDING" ] && systemctl is-active --quiet "$NAME.service"; then
        say "the registry serves already"
        return
    fi
    systemctl stop "$NAME.service" 2>/dev/null || true
    free_port
    load_image "$NAME" "$ARCHIVE"
    start_units "$NAME.service"
    wait_until_serving "journalctl -u $NAME"
}

mkdir -p "$DATA"
choose_settings
begin registry
"serve_with_$RUNTIME"
