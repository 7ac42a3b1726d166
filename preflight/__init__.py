"""Read-only checks of an account before deployment."""
