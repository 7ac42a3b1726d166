"""Response headers that restrict what a browser does with the page."""

from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send


class SecurityHeaders:
    """Adds the headers that restrict a browser to what the page needs.

    At a shared origin `'self'` is the pages of strangers, too, so the sources have the page's path.
    """

    def __init__(self, app: ASGIApp, *, shared_page_url: str, uploads: str | None) -> None:
        """Args:
        shared_page_url: As in `functions.settings`.
        uploads: The beginning of every upload URL; None when the application receives them.
        """
        self._app = app
        files = f"{shared_page_url}page/" if shared_page_url else "'self'"
        calls = " ".join(filter(None, [shared_page_url or "'self'", uploads]))
        self._headers = {
            "Content-Security-Policy": f"default-src 'none'; script-src {files}; "
            f"style-src {files}; connect-src {calls}; img-src data:; "
            "base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
            "Cache-Control": "no-cache",
            # A page of another origin that opens this one gets no handle of its window.
            "Cross-Origin-Opener-Policy": "same-origin",
            "Referrer-Policy": "no-referrer",
            "X-Content-Type-Options": "nosniff",
        }

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in self._headers.items():
                    headers.setdefault(name, value)
            await send(message)

        await self._app(scope, receive, send_with_headers)
