"""Resolve requirements to digests: the only step that queries upstreams for them, and writes a lock file."""
