"""The route of the looks."""

from typing import Annotated

from fastapi import APIRouter, Depends, Query
from starlette.requests import Request
from starlette.responses import Response

from infra.auth import Auth, Caller
from query_api.answers import answered
from query_api.audit.questions import AuditQuestions
from query_api.audit.viewers import viewing
from query_api.description import READS
from query_api.parameters import LookQuery
from query_api.reading import Page
from schemas.looks import Look


def audit_routes(questions: AuditQuestions, auth: Auth) -> APIRouter:
    """For auditors, and for staff who watch over them."""
    router = APIRouter(prefix="/v1/audit", responses=READS, tags=["audit"])
    watching = Depends(viewing(auth, "operations:read"))

    @router.get("/looks", response_model=Page[Look])
    async def list_looks(
        request: Request, by: Annotated[Caller, watching], asked: Annotated[LookQuery, Query()]
    ) -> Response:
        """List what auditors have looked at, the newest first.

        Everything that a token with `audit:read` and without `orders:manage` asks is recorded before it is answered,
        and so is what it is refused with 403 or 404; of a stream, its opening and what it tells. This list, too.
        """
        return answered(request, await questions.recorded(by, asked))

    return router
