"""Images of a user's own Kubefile: what the command line asks for, what is pinned, and the things of every step."""
