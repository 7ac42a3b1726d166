"""Rules about DigitalOcean resources."""
