"""A model on any Kubernetes cluster with a pool of GPU nodes; independent of the cloud."""
