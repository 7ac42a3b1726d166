"""Where the application meets a platform: each file turns events into calls, and no more."""
