"""Locks: what is pinned, of a Kubernetes version and of an application image."""
