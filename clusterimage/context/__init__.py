"""The content of an image that the user writes: templates and what they are rendered with, image lists."""
