"""Components of the local variant, on this machine."""
