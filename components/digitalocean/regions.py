"""Where DigitalOcean offers what the application needs."""

DEFAULT = "tor1"
"""The only region with both Functions and Dedicated Inference, so that no rung means a move."""

FUNCTIONS = ("ams3", "blr1", "fra1", "lon1", "nyc1", "sfo3", "sgp1", "syd1", "tor1")
"""Regions of Functions namespaces: doctl, commands/namespaces.go at 168188d (2026-08-06).

The availability page of March 2026 names nyc3 in nyc1's place; what is created by API goes by the
list of doctl.
"""
