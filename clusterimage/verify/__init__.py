"""Verification of a built image: every digest, and the requirements of sealer or sealos."""
