"""Components of the integrated variant, at DigitalOcean."""
