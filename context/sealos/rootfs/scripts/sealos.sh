#!/usr/bin/env bash
# Knows what sealos tells scripts in words of its own, in those of node.sh. Sourced, never run.
# sealos exports the ENV of the image, or what a Clusterfile says instead; its registry speaks http and has a password.

RegistryDomain=${1:-${registryDomain:-}} RegistryPort=${2:-${registryPort:-}}
export RegistryDomain RegistryPort InsecureRegistry=true
# shellcheck source=node.sh
source "$(dirname "${BASH_SOURCE[0]}")/node.sh"
RegistryAuth=$(printf '%s:%s' "$(registry_yml username)" "$(registry_yml password)" | base64 -w 0)
export RegistryAuth
