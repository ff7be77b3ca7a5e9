"""Every problem that a test of an edge meets is one that the OpenAPI document shows for its operation."""

import re
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import httpx

from infra.problems import MEDIA_TYPE


def promised(document: Mapping[str, Any]) -> Callable[[httpx.Response], Awaitable[None]]:
    """Give what an httpx client calls with each response; what is no operation of the document may answer anything."""
    known = [(_pattern(path), methods) for path, methods in document["paths"].items()]

    async def check(response: httpx.Response) -> None:
        if response.headers.get("content-type") != MEDIA_TYPE:
            return
        await response.aread()
        kind = response.json()["type"].removeprefix("/problems/")
        method, path = response.request.method.lower(), response.request.url.path
        for pattern, methods in known:
            if pattern.fullmatch(path) and method in methods:
                assert kind in _shown(methods[method], response.status_code), f"{method} {path}: {kind} is not shown"

    return check


def _pattern(path: str) -> re.Pattern[str]:
    return re.compile(re.sub(r"\{\w+\}", "[^/]+", path))


def _shown(operation: Mapping[str, Any], status: int) -> Mapping[str, Any]:
    response = operation["responses"].get(str(status), {})
    shown: Mapping[str, Any] = response.get("content", {}).get(MEDIA_TYPE, {}).get("examples", {})
    return shown
