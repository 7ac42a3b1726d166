"""Which machine holds a model: memory arithmetic and right-sizing."""
