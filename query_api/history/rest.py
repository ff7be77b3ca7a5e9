"""Routes of the past: what anything was, and what has changed since."""

from typing import Annotated

from fastapi import APIRouter, Depends, Path, Query
from starlette.requests import Request
from starlette.responses import Response

from infra.auth import Auth, Caller
from query_api.answers import answered
from query_api.audit.viewers import viewing
from query_api.description import MISSING, READS
from query_api.history.answers import Difference, PastState
from query_api.history.questions import Key, Kind, PastQuestions, Subject
from query_api.parameters import DiffQuery, StateQuery

_Kind = Annotated[Kind, Path(examples=["orders"])]
_Key = Annotated[Key, Path(examples=["01981d3c-7cf8-7a10-8d4c-6f9619ff8b86"])]


def past_routes(questions: PastQuestions, auth: Auth) -> APIRouter:
    """Routes of every kind of stream: orders and payments by the order's id, products and stock by SKU."""
    router = APIRouter(prefix="/v1/{kind}/{key}", responses={**READS, **MISSING}, tags=["history"])
    anybody = Depends(viewing(auth))

    @router.get("/state", response_model=PastState)
    async def get_state(
        request: Request, kind: _Kind, key: _Key, by: Annotated[Caller, anybody], asked: Annotated[StateQuery, Query()]
    ) -> Response:
        """Give what an order, payment, product or stock item was at a version or an instant, or is now."""
        return answered(request, await questions.state(by, Subject(kind, key), asked))

    @router.get("/diff", response_model=Difference)
    async def get_diff(
        request: Request, kind: _Kind, key: _Key, by: Annotated[Caller, anybody], asked: Annotated[DiffQuery, Query()]
    ) -> Response:
        """Give what changed between two points, as a JSON Patch (RFC 6902) and in plain sentences."""
        return answered(request, await questions.difference(by, Subject(kind, key), asked))

    return router
