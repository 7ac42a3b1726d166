"""Components of the split variant, at AWS."""
