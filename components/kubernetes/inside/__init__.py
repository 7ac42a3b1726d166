"""What runs inside the cluster in images of others: Python's standard library and nothing else."""
