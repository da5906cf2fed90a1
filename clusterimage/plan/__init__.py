"""From variables, versions.toml and locks to the build plan: which tasks there are, with every path."""
