"""What answers on each rung of the inference ladder: one file per arrangement."""
