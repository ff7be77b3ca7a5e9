"""Which problem document stands for which state of the query side."""

from collections.abc import Awaitable, Callable
from typing import Final

import psycopg
from fastapi import FastAPI
from psycopg_pool import PoolTimeout
from starlette.requests import Request
from starlette.responses import Response

from infra.problems import Problem, document, install_problems
from query_api.cursors import CursorRefused
from query_api.live import FiguresAway
from query_api.positions import PositionUnknown, ReadModelBehind

_AGAIN: Final = {"retry-after": "1"}
_AWAY: Final = Problem(503, headers=_AGAIN)
PROBLEMS: Final[dict[type[Exception], Problem]] = {
    CursorRefused: Problem(
        400, "cursor-refused", "This cursor was not given to this caller for this query. Begin again without it."
    ),
    PositionUnknown: Problem(
        400, "position-unknown", "No write has answered with this `min_position`: the log is not that long."
    ),
    ReadModelBehind: Problem(
        503, "read-model-behind", "The view has not reached `min_position` yet. Try again soon.", headers=_AGAIN
    ),
    FiguresAway: Problem(
        503, "figures-away", "The live figures cannot be read or are being counted anew.", headers=_AGAIN
    ),
    psycopg.OperationalError: _AWAY,
    PoolTimeout: _AWAY,
}


def install_refusals(app: FastAPI) -> None:
    """Answer every refusal of the query side, and everything else that is not a success, with a problem document."""
    install_problems(app)
    for state, problem in PROBLEMS.items():
        app.add_exception_handler(state, _saying(problem))


def _saying(problem: Problem) -> Callable[[Request, Exception], Awaitable[Response]]:
    async def say(request: Request, _state: Exception) -> Response:
        return document(request, problem)

    return say
