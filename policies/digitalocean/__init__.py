"""Promises about resources at DigitalOcean."""
