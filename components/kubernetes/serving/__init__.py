"""vLLM: weights, model server, router and gateway."""
