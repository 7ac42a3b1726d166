"""The limits of DigitalOcean Functions, and ours within them.

Source: docs.digitalocean.com/products/functions/details/limits, 17 January 2025.
"""

MAX_PAYLOAD_BYTES = 1_000_000
"""Largest request and response."""

MAX_MEGABYTES = 1024
"""Most memory of a function."""

MAX_SECONDS = 900
"""Longest timeout of a function."""

SWEEP_SECONDS = 240
"""Timeout of the function `sweep`, below the five minutes between two sweeps."""

MAX_CONCURRENT = 120
"""Calls of a namespace at the same time, of all its functions and of the page."""

MAX_PER_MINUTE = 600
"""Calls of a namespace in a minute."""
