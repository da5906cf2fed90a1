"""The image that is shipped: what it is built on, and its layers, configuration and index."""
