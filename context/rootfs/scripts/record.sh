#!/usr/bin/env bash
# Knows what this image put on the node, so that removing it leaves the node as it was. Sourced, never run.
#
#   /var/lib/clusterimage/<part>.files    one line each: kind TAB sha256 TAB path
#   /var/lib/clusterimage/<part>.saved/   what stood in a file's place before, at its own path
#   /var/lib/clusterimage/<part>.changed  there while a written file waits for its unit to be restarted
#
# Kinds: file (removed while its content is still ours), dir (removed when empty), tree (a file or folder that is
# removed with all that came into it, because it did not exist before), unit (stopped and disabled), reload (another's
# unit, restarted last), image (taken out of the container runtime), link (a network interface that was not there
# before), chains (of netfilter, by the begin of their names; the same).

STATE=/var/lib/clusterimage

say() { printf 'clusterimage: %s\n' "$*"; }
warn() { say "$@" >&2; }
die() {
    warn "$@"
    exit 1
}

# begin PART: everything recorded from here on belongs to PART.
begin() {
    RECORD=$STATE/$1.files SAVED=$STATE/$1.saved PENDING=$STATE/$1.changed
    mkdir -p "$STATE"
    touch "$RECORD"
}

digest() { sha256sum <"$1" | cut -d' ' -f1; }
same() { [ -f "$1" ] && [ -f "$2" ] && [ "$(digest "$1")" = "$(digest "$2")" ]; }
exists() { [ -e "$1" ] || [ -L "$1" ]; }

# recorded PATH [RECORD]: print the digest that we gave PATH; fails when PATH is not ours.
recorded() {
    awk -F'\t' -v path="$1" '$3 == path { print $2; found = 1; exit } END { exit !found }' "${2:-$RECORD}"
}

# owner PATH: print the other part that PATH belongs to; fails when there is none.
owner() {
    local other
    for other in "$STATE"/*.files; do
        if [ "$other" != "$RECORD" ] && recorded "$1" "$other" >/dev/null; then
            basename "$other" .files
            return
        fi
    done
    return 1
}

# note KIND DIGEST PATH: record PATH, in place of a line for it that says something else.
note() {
    local line
    line=$(printf '%s\t%s\t%s' "$1" "$2" "$3")
    if grep -qxF -- "$line" "$RECORD"; then return; fi
    awk -F'\t' -v path="$3" '$3 != path' "$RECORD" >"$RECORD.new"
    echo "$line" >>"$RECORD.new"
    mv -f "$RECORD.new" "$RECORD"
}

make_dir() {
    if [ -d "$1" ]; then return; fi
    make_dir "$(dirname "$1")"
    recorded "$1" >/dev/null || note dir - "$1" # claimed already where it is recorded
    mkdir "$1"
}

# claim DIR...: each will be ours with all that programs write below it, unless it exists already.
claim() {
    local dir
    for dir; do
        exists "$dir" || note tree - "$dir"
    done
}

# claim_links NAME...: network interfaces that programs make; each will be ours, unless it exists already.
claim_links() {
    local link
    for link; do
        [ -e "/sys/class/net/$link" ] || note link - "$link"
    done
}

# claim_chains PREFIX...: netfilter chains that programs make; those of a prefix will be ours, unless there are some.
claim_chains() {
    local prefix rules
    rules=$({ iptables-save && ip6tables-save; } 2>/dev/null || true)
    for prefix; do
        grep -q "^:$prefix" <<<"$rules" || note chains - "$prefix"
    done
}

# drop_rules REGEX: take the netfilter chains and rules away that match.
drop_rules() {
    local tool rules
    for tool in iptables ip6tables; do
        rules=$("$tool-save" 2>/dev/null || true)
        if grep -qE -- "$1" <<<"$rules"; then grep -vE -- "$1" <<<"$rules" | "$tool-restore"; fi
    done
}

# beside PATH: where the next content of PATH is written, in the folder of PATH: a rename must not cross file systems,
# and SELinux labels a file by the folder that it is born in.
beside() { printf '%s/.%s.clusterimage' "$(dirname "$1")" "$(basename "$1")"; }

# put PATH MODE <CONTENT: write PATH in one step. What was there before is saved aside; what another changed stays.
put() {
    local path=$1 mode=$2 new ours
    new=$(beside "$path")
    make_dir "$(dirname "$path")"
    cat >"$new"
    chmod "$mode" "$new"
    if same "$new" "$path"; then
        rm -f "$new"
        return
    fi
    if exists "$path"; then
        if ! ours=$(recorded "$path"); then
            mkdir -p "$SAVED$(dirname "$path")"
            cp -a "$path" "$SAVED$path"
        elif [ "$ours" != "$(digest "$path")" ] && ! same "$path" "$SAVED$path"; then
            warn "$path was changed by someone else and stays as it is"
            rm -f "$new"
            return
        fi
    fi
    note file "$(digest "$new")" "$path"
    touch "$PENDING"
    mv -f "$new" "$path"
}

# put_new PATH MODE <CONTENT: like put, but what the node already has at PATH is used as it is.
put_new() {
    if exists "$1" && ! recorded "$1" >/dev/null; then
        say "keeping $1 that is already on this node"
    else
        put "$@"
    fi
}

# start_units UNIT...: enable and start our units; only a changed file restarts what already runs.
start_units() {
    local unit action=start
    if [ -e "$PENDING" ]; then action=restart; fi
    systemctl daemon-reload
    for unit; do
        note unit - "$unit"
        systemctl enable --quiet "$unit"
        systemctl "$action" "$unit" || die "$unit did not start; the reason is in: journalctl -u $unit"
    done
    rm -f "$PENDING"
}

# each KIND COMMAND...: run COMMAND on every recorded path of KIND, newest first; a failure is told and passed over.
each() {
    local kind=$1 path
    shift
    while read -r path <&3; do
        "$@" "$path" || warn "failed and passed over: $* $path"
    done 3< <(awk -F'\t' -v kind="$kind" '$1 == kind { print $3 }' "$RECORD" | tac)
}

stop_unit() {
    systemctl stop "$1"
    systemctl disable --quiet "$1"
    systemctl reset-failed "$1" 2>/dev/null || true # a unit that did not end well would be remembered
}

# remove_tree DIR: take DIR away, but nothing that is mounted below it: that may be a volume with a user's data.
remove_tree() {
    local mounted
    while read -r mounted; do
        mounted=$(printf '%b' "$mounted") # the kernel writes a space as \040
        umount "$mounted" 2>/dev/null || umount -l "$mounted"
    done < <(awk -v below="$1/" 'index($2, below) == 1 { print $2 }' /proc/self/mounts | sort -r)
    rm -rf --one-file-system -- "$1"
}

remove_file() {
    local saved=$SAVED$1 new
    new=$(beside "$1")
    rm -f "$new"
    if [ -f "$1" ] && [ "$(digest "$1")" != "$(recorded "$1")" ] && ! same "$1" "$saved"; then
        warn "$1 was changed by someone else and stays"
    elif exists "$saved"; then
        mkdir -p "$(dirname "$1")"
        cp -a "$saved" "$new"
        mv -f "$new" "$1"
    else
        rm -f "$1"
    fi
}

# remove_dir DIR: what is not empty holds files that are not ours.
remove_dir() { rmdir "$1" 2>/dev/null || true; }

remove_link() {
    drop_rules "^-A .* -[io] $1( |\$)"
    if [ -e "/sys/class/net/$1" ]; then ip link delete "$1"; fi
}

remove_chains() { drop_rules "^:$1|^-A $1|-[jg] $1"; }

# remove_part PART: undo all that PART recorded. An interrupted removal is finished by the next.
remove_part() {
    if [ ! -e "$STATE/$1.files" ]; then
        say "nothing of $1 is installed here"
        return
    fi
    begin "$1"
    each image remove_image
    each unit stop_unit
    each chains remove_chains
    each link remove_link
    each tree remove_tree
    each file remove_file
    each dir remove_dir
    systemctl daemon-reload
    each reload systemctl restart
    rm -rf "$STATE/unpack" "$SAVED" "$PENDING" "$RECORD"
    remove_dir "$STATE"
    say "$1 is removed"
}
