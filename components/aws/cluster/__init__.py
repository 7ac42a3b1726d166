"""EKS with a GPU node group, a file system and a load balancer."""
