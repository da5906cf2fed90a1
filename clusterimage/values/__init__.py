"""The values of everything else: versions, digests, references, TOML tables, stat stamps, and user errors."""
