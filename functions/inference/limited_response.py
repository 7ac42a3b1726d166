"""HTTP responses that are read up to a size limit."""

from typing import Any

import httpx


async def read_limited(
    http: httpx.AsyncClient, method: str, url: str, *, limit: int, **request: Any
) -> tuple[httpx.Response, bytes]:
    """Send a request; return the response and its body of at most `limit` bytes.

    Raises:
        httpx.HTTPError: also when the body is longer.
    """
    content = bytearray()
    async with http.stream(method, url, **request) as response:
        async for part in response.aiter_bytes():
            content += part
            if len(content) > limit:
                raise httpx.DecodingError(f"more than {limit} bytes")
    return response, bytes(content)
