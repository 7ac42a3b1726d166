"""Where DigitalOcean offers what the application needs."""

from catalog.regions import offering

DEFAULT = "tor1"
"""The only region with both Functions and Dedicated Inference: no inference mode needs a move."""

FUNCTIONS = offering("digitalocean", "functions")
"""Regions of Functions namespaces."""
