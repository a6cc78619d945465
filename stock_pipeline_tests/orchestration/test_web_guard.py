"""What the guard hands on to the web server and what it refuses, header by header."""

import asyncio
from typing import Any

import pytest

from stock_pipeline.orchestration.web_guard import Guard

HOSTS = frozenset({"127.0.0.1", "localhost", "::1"})
OWN, PAGE = "127.0.0.1:3000", "http://127.0.0.1:3000"
EVIL = "https://evil.example"
QUERY = "query=mutation%7BwipeAssets(assetPartitionRanges:[])%7B__typename%7D%7D"


def scope(method: str = "POST", path: str = "/graphql", query: str = "", kind: str = "http", **headers: str) -> dict[str, Any]:
    named = {"host": OWN, **{name.replace("_", "-"): value for name, value in headers.items()}}
    pairs = [(name.encode(), value.encode()) for name, value in named.items()]
    return {"type": kind, "method": method, "path": path, "query_string": query.encode(), "headers": pairs}


ALLOWED = {
    "a program": scope(),
    "the ui": scope(origin=PAGE, sec_fetch_site="same-origin"),
    "the ui by another name": scope(host="localhost:3000", origin="http://localhost:3000"),
    "the ui by IPv6": scope(host="[::1]:3000", origin="http://[::1]:3000"),
    "a page": scope("GET", "/assets"),
    "a link from elsewhere": scope("GET", "/assets", sec_fetch_site="cross-site"),
    "a page with a query of its own": scope("GET", "/runs", "query=x"),
    "the playground": scope("GET"),
    "the socket of the ui": scope("GET", kind="websocket", origin=PAGE, sec_fetch_site="same-origin"),
    "the socket of a program": scope("GET", kind="websocket"),
}
REFUSED = {
    "mutation by an image": scope("GET", query=QUERY, sec_fetch_site="cross-site"),
    "mutation by GET without any header": scope("GET", query=QUERY),
    "mutation by GET with an empty query": scope("GET", query="query="),
    "mutation by HEAD": scope("HEAD", query=QUERY),
    "mutation behind a slash": scope("GET", "/graphql/", QUERY),
    "form of another site": scope(origin=EVIL),
    "form of a sandboxed frame": scope(origin="null"),
    "script that hides its origin": scope(sec_fetch_site="cross-site"),
    "page of another port": scope(origin="http://127.0.0.1:8000", sec_fetch_site="same-site"),
    "rebound name": scope(host="evil.example:3000", origin="http://evil.example:3000", sec_fetch_site="same-origin"),
    "rebound name on a page": scope("GET", "/", host="evil.example:3000"),
    "name that only begins so": scope("GET", "/", host="127.0.0.1.evil.example"),
    "name that only ends so": scope("GET", "/", host="evil-localhost"),
    "user in the host": scope("GET", "/", host="evil.example#@127.0.0.1"),
    "no host": scope("GET", "/", host=""),
    "broken host": scope("GET", "/", host="[::1"),
    "report of an asset": scope(path="/report_asset_materialization/a", origin=EVIL),
    "socket of another site": scope("GET", kind="websocket", origin=EVIL),
    "socket of a rebound name": scope("GET", kind="websocket", host="evil.example", origin="http://evil.example"),
}


def answered(given: dict[str, Any]) -> tuple[bool, list[dict[str, Any]]]:
    """Whether the request was handed on, and what was sent otherwise."""
    reached: list[object] = []
    sent: list[dict[str, Any]] = []

    async def app(*handed: object) -> None:
        reached.append(handed)

    async def receive() -> dict[str, Any]:
        return {"type": "websocket.connect"}

    async def send(message: Any) -> None:
        sent.append(message)

    asyncio.run(Guard(app, HOSTS)(given, receive, send))
    return bool(reached), sent


@pytest.mark.parametrize("given", ALLOWED.values(), ids=ALLOWED.keys())
def test_own_pages_and_programs_are_served(given: dict[str, Any]) -> None:
    assert answered(given) == (True, [])


@pytest.mark.parametrize("given", REFUSED.values(), ids=REFUSED.keys())
def test_everything_else_is_refused_with_a_sentence(given: dict[str, Any]) -> None:
    reached, sent = answered(given)
    assert not reached
    if given["type"] == "websocket":
        assert (sent[0]["type"], sent[0]["code"]) == ("websocket.close", 1008)
    else:
        assert sent[0]["status"] == 403 and len(sent[1]["body"]) > 20


def test_the_life_of_the_server_itself_is_handed_on() -> None:
    assert answered({"type": "lifespan"})[0]
