"""What versions.toml says: components, flavors, what a Kubernetes version requires, kubeadm's rules, contracts."""
