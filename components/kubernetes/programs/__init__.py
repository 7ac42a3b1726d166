"""Programs that run in the cluster, in images of others: Python's standard library alone."""
