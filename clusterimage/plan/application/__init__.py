"""Images of a user's own Kubefile: command-line variables, build context, and work items."""
