"""Images of a user's own Kubefile: what the command line asks for, its context, and its tasks."""
