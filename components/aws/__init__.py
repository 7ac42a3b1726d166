"""What the split arrangement is made of, at AWS."""
