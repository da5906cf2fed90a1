"""The real upstream of Kubernetes v1.20.2, made once from Debian's sources and packages: see real_upstream.py."""
