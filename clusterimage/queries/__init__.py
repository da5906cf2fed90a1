"""Commands that build nothing: plan, diff and prune."""
