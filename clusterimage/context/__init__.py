"""The user-written content of an image: templates and their variables, image lists."""
