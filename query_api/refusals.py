"""Which problem document stands for which state of the query side."""

from typing import Final

import psycopg
from fastapi import FastAPI
from grpc import StatusCode
from psycopg_pool import PoolTimeout

from infra.problems import Problem, answer_refusals, install_problems
from query_api.audit.record import LookNotRecorded
from query_api.cursors import CursorRefused
from query_api.history.states import NotYetBegun, VersionNotReached
from query_api.live import FiguresAway
from query_api.pasts import PastBeingComputed, PastNotComputed
from query_api.positions import PositionUnknown, ReadModelBehind

TOO_MANY_STREAMS: Final = ("too-many-streams", "Too many streams are open.")
NOT_FOUND: Final = "There is nothing here that this token may see."
REASON_MALFORMED: Final = (
    "reveal-reason-malformed",
    "Reveal-Reason must be 10 to 500 printable characters, given once.",
)
REASON_NEEDED: Final = (
    "reveal-reason-needed",
    "Words could tell who ordered, so an auditor searches for them with a Reveal-Reason only.",
)
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
    VersionNotReached: Problem(
        404, "version-not-reached", "The history has not come to this version.", code=StatusCode.OUT_OF_RANGE
    ),
    NotYetBegun: Problem(404, "not-yet-begun", "At this instant there was nothing yet.", code=StatusCode.OUT_OF_RANGE),
    FiguresAway: Problem(
        503, "figures-away", "The live figures cannot be read or are being counted anew.", headers=_AGAIN
    ),
    PastBeingComputed: Problem(
        503, "past-being-computed", "What was at this instant is being computed. Ask again soon.", headers=_AGAIN
    ),
    PastNotComputed: Problem(
        503,
        "past-not-computed",
        "What was at this instant could not be computed; the log of this process says why.",
        headers={"retry-after": "30"},
    ),
    LookNotRecorded: Problem(
        503, "look-not-recorded", "This look cannot be recorded, so nothing is shown. Try again soon.", headers=_AGAIN
    ),
    psycopg.OperationalError: _AWAY,
    PoolTimeout: _AWAY,
}


def problem_of(error: Exception) -> Problem | None:
    """Name what a question failed with; None for a fault of ours."""
    if isinstance(error, PastBeingComputed):
        usual = PROBLEMS[PastBeingComputed]
        said = f"What was at this instant is being computed: {error.percent} % is done. Ask again soon."
        return Problem(usual.status_code, usual.kind, said, headers=usual.headers)
    return next((problem for state, problem in PROBLEMS.items() if isinstance(error, state)), None)


def install_refusals(app: FastAPI) -> None:
    """Answer every refusal of the query side, and everything else that is not a success, with a problem document."""
    install_problems(app)
    answer_refusals(app, PROBLEMS, problem_of)
