"""Parts that every workload on a cluster uses."""
