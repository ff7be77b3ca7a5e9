"""The page at /docs of each API: Swagger UI from a package's own files, so that no other host is asked for anything."""

from importlib.resources import files
from pathlib import Path
from typing import Final

from fastapi import APIRouter
from starlette.responses import Response

from infra.problems import Problem

_HERE: Final = Path(__file__).parent
_VENDOR: Final = files("fastapi_offline") / "static"
_HEADERS: Final = {
    # Swagger UI writes style attributes and shows pictures of its own.
    "content-security-policy": (
        "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; "
        "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cache-control": "public, max-age=3600",
}
_OURS: Final = {"start.js": "text/javascript", "page.css": "text/css"}
_THEIRS: Final = {"swagger-ui-bundle.js": "text/javascript", "swagger-ui.css": "text/css"}


def reference_routes() -> APIRouter:
    """Routes for everybody: what they show is in the repository."""
    router = APIRouter(include_in_schema=False)

    @router.get("/docs")
    async def page() -> Response:
        return _file((_HERE / "page.html").read_bytes(), "text/html")

    @router.get("/docs/{name}")
    async def asset(name: str) -> Response:
        if name in _OURS:
            return _file((_HERE / name).read_bytes(), _OURS[name])
        if name in _THEIRS:
            return _file((_VENDOR / name).read_bytes(), _THEIRS[name])
        raise Problem(404)

    return router


def _file(content: bytes, media_type: str) -> Response:
    return Response(content, headers=_HEADERS, media_type=f"{media_type}; charset=utf-8")
