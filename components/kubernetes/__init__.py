"""A model on any Kubernetes cluster with a pool of GPU nodes; nothing here knows a cloud."""
