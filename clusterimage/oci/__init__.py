"""Images: layers, layouts and saved registries, and the places that images come from and go to."""
