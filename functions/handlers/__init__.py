"""Entry points of the platforms: each file turns a platform's events into calls."""
