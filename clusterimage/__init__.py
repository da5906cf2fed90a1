"""Build Kubernetes cluster images: pure functions on values and paths, without doit, argv, environment or clock."""

__version__ = "0.1.0"
