"""Dynamic resources over DigitalOcean's Functions API."""
