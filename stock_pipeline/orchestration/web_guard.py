"""A guard in front of the web server, so that no other web page can use it through the browser of whoever has it open.

The web server has no login and takes mutations by GET, from any Host and from any Origin. Listening on loopback keeps other machines
out, but not a web page: its images, forms, scripts and, by DNS rebinding, its own name reach loopback through the browser. The guard
asks for a Host of this server, for an Origin of this server wherever a browser sends one, and for POST for every query.
"""

from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from typing import Any, Final
from urllib.parse import parse_qs, urlsplit

GRAPHQL: Final = "/graphql"
READING: Final = frozenset({"GET", "HEAD", "OPTIONS"})
OWN_SITES: Final = frozenset({"same-origin", "none"})  # Sec-Fetch-Site of this server's pages, and of an address typed by a person

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]


class Guard:
    """An ASGI application that hands on what comes from this server's own pages, or from a program, and refuses the rest."""

    def __init__(self, app: App, hosts: frozenset[str]) -> None:
        """Guard an application.

        Args:
            app: the web server.
            hosts: the names and addresses by which it may be called, without the port.
        """
        self._app, self._hosts = app, hosts

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Hand on a request or a web socket, or refuse it with status 403 and a sentence."""
        why = self.refusal(scope) if scope["type"] in ("http", "websocket") else None
        if why is None:
            await self._app(scope, receive, send)
        elif scope["type"] == "websocket":
            await receive()  # the request to connect
            await send({"type": "websocket.close", "code": 1008, "reason": why})
        else:
            headers = [(b"content-type", b"text/plain; charset=utf-8")]
            await send({"type": "http.response.start", "status": 403, "headers": headers})
            await send({"type": "http.response.body", "body": f"{why}\n".encode()})

    def refusal(self, scope: Mapping[str, Any]) -> str | None:
        """Why a request is refused; None where it is handed on."""
        headers = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in scope["headers"]}
        method = scope.get("method", "GET")
        if _host_of(headers.get("host", "")) not in self._hosts:
            return f"host {headers.get('host', '')!r} is not this server; open it as http://127.0.0.1 with its port"
        origin = headers.get("origin")
        if origin is not None and urlsplit(origin).netloc != headers["host"]:
            return f"origin {origin!r} is another site; use this server from its own pages"
        changing = method not in READING or scope["type"] == "websocket"
        if changing and headers.get("sec-fetch-site", "none") not in OWN_SITES:
            return "the request comes from another site; use this server from its own pages"
        asked = parse_qs(scope.get("query_string", b"").decode("latin-1"), keep_blank_values=True)
        if method in READING and scope["path"].rstrip("/").endswith(GRAPHQL) and "query" in asked:
            return "queries are taken by POST alone"
        return None


def _host_of(netloc: str) -> str | None:
    """The host in a Host header, without the port; None where it is not one."""
    try:
        return urlsplit(f"//{netloc}").hostname
    except ValueError:
        return None
