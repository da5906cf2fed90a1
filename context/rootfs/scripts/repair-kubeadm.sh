#!/usr/bin/env bash
# Filters a kubeadm configuration: drops, or renames, what the given Kubernetes version no longer knows.
#
#   bash repair-kubeadm.sh v1.28.4 <kubeadm.yaml >repaired.yaml
#
# sealer up to 0.11 merges a built-in default into every configuration and so brings back flags and feature gates that
# an image left out on purpose; kube-apiserver, the controller manager and the scheduler of Kubernetes 1.25 and later
# then refuse to start. https://github.com/sealerio/sealer/issues/2245
set -euo pipefail
: "${1:?usage: repair-kubeadm.sh KUBERNETES_VERSION <old >new}"

table='
# kind  name                                   unknown from  today called
flag    experimental-cluster-signing-duration  25            cluster-signing-duration
gate    TTLAfterFinished                       25            -
gate    EphemeralContainers                    27            -
'

awk -v table="$table" -v version="$1" '
    BEGIN {
        split(version, number, ".")
        rows = split(table, row, "\n")
        for (i = 1; i <= rows; i++) {
            split(row[i], column, " ")
            if (column[1] == "flag" && number[2] + 0 >= column[3]) flags[column[2]] = column[4]
            if (column[1] == "gate" && number[2] + 0 >= column[3]) gates[column[2]] = 1
        }
    }
    { line[NR] = $0; split($1, word, ":"); seen[word[1]] = 1 }
    # known LIST: the feature gates of LIST, written a=true,b=false, that this version still knows.
    function known(list, pair, name, count, i, kept) {
        gsub(/["\047 ]/, "", list)
        count = split(list, pair, ",")
        for (i = 1; i <= count; i++) {
            split(pair[i], name, "=")
            if (!(name[1] in gates)) kept = kept (kept == "" ? "" : ",") pair[i]
        }
        return kept
    }
    END {
        for (i = 1; i <= NR; i++) {
            key = line[i]; sub(/:.*/, "", key)
            name = key; sub(/^ +/, "", name)
            value = substr(line[i], length(key) + 2)
            if (name in flags) {
                if (flags[name] == "-" || flags[name] in seen) continue
                sub(name, flags[name], key)
                print key ":" value
            } else if (name == "feature-gates") {
                list = value; gsub(/["\047 ]/, "", list)
                if (known(value) == list) print line[i]
                else if (known(value) != "") print key ": " known(value)
            } else {
                print line[i]
            }
        }
    }'
