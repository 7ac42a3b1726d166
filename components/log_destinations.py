"""Where functions may send their logs to: the JSON that DigitalOcean Functions reads.

Services: docs.digitalocean.com/products/functions/how-to/forward-logs (9 April 2025), which says
that it is App Platform's `log_destinations` as JSON, but for Papertrail's token.
"""

import json

SERVICES = {
    "datadog": {"endpoint", "api_key"},
    "logtail": {"token"},
    "papertrail": {"token"},
}
"""Who takes logs, and what must be said of each."""

EXAMPLE = """'[{"name": "logs", "logtail": {"token": "TOKEN"}}]'"""
"""As it is typed into a shell."""


def problem(text: str) -> str | None:
    """What is wrong with a text of destinations, None for nothing; it never quotes the text."""
    try:
        destinations = json.loads(text)
    except json.JSONDecodeError:
        return "no JSON"
    if not isinstance(destinations, list) or not destinations:
        return "no list"
    for number, destination in enumerate(destinations, 1):
        if not isinstance(destination, dict):
            return f"no object in place {number}"
        if (found := len(destination.keys() & SERVICES.keys())) != 1:
            return f"with {found} services in place {number}"
        (service,) = destination.keys() & SERVICES.keys()
        if unknown := len(destination.keys() - {"name", service}):
            return f"with {unknown} unknown keys in place {number}"
        told = destination[service]
        if not isinstance(told, dict) or told.keys() != SERVICES[service]:
            return f"without exactly {' and '.join(sorted(SERVICES[service]))} for {service}"
        if not all(isinstance(value, str) and value for value in told.values()):
            return f"with an empty value for {service}"
    return None
