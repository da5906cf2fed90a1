"""Resolving what is required to pins: the step that asks upstreams, once, and writes a lock."""
