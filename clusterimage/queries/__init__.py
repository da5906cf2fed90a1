"""Commands that answer and build nothing: the build plan, differences, and what can be pruned."""
