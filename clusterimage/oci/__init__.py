"""Images: their names, their documents, where they come from and the two layouts they are written in."""
