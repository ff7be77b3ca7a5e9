"""Which status a caller is answered with for each refusal: the one table for every edge."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Final

from fastapi import FastAPI
from psycopg import OperationalError
from psycopg_pool import PoolTimeout
from starlette.requests import Request
from starlette.responses import Response

from domain import errors
from domain.errors import DomainError
from infra.appender import ConcurrentChange, KeyReused, LogUnavailable
from infra.problems import Problem, document


@dataclass(eq=False)
class VersionMismatch(DomainError):  # noqa: N818  # a state of the world
    """The caller has seen another version than the present one (`If-Match`)."""

    code = "version-mismatch"
    title = "The version does not match"
    sentence = "The version is {version}."
    version: int


STATUS: Final[dict[type[DomainError], int]] = {
    VersionMismatch: 412,
    errors.ProductNotFound: 404,
    errors.ProductAlreadyListed: 409,
    errors.ProductOffSale: 409,
    errors.CurrencyMismatch: 409,
    errors.StockNotFound: 404,
    errors.StockLimitExceeded: 409,
    errors.AdjustmentBelowReserved: 409,
    errors.OrderNotFound: 404,
    errors.OrderAlreadyPlaced: 409,
    errors.DuplicateSku: 409,
    errors.OrderTotalTooLarge: 409,
    errors.OrderNotConfirmed: 409,
    errors.OrderClosed: 409,
    errors.OrderAlreadyShipped: 409,
    errors.NothingLeftToShip: 409,
    errors.PickExceedsOrder: 409,
    errors.ShipmentNotFound: 404,
    errors.PaymentNotFound: 404,
    errors.EmptyRefund: 409,
    errors.RefundExceedsCaptured: 409,
}
"""Every refusal that a caller can meet. A `domain.defects.Defect` is none: it is answered with 500 and looked at."""

_RETRY: Final = {"retry-after": "1"}
_ELSE: Final[dict[type[Exception], Problem]] = {
    ConcurrentChange: Problem(409, "concurrent-change", "This kept changing meanwhile. Try again.", headers=_RETRY),
    KeyReused: Problem(422, "idempotency-key-reused", "This idempotency key was used for another request."),
    LogUnavailable: Problem(503, headers=_RETRY),
    OperationalError: Problem(503, headers=_RETRY),
    PoolTimeout: Problem(503, headers=_RETRY),
}


def install_refusals(app: FastAPI) -> None:
    """Answer refusals, conflicts and an unreachable log with problem documents."""
    app.add_exception_handler(DomainError, _refused)
    for cause, problem in _ELSE.items():
        app.add_exception_handler(cause, _answering(problem))


async def _refused(request: Request, refusal: Exception) -> Response:
    if not isinstance(refusal, DomainError) or type(refusal) not in STATUS:
        raise refusal
    return document(request, Problem(STATUS[type(refusal)], refusal.code, str(refusal), title=refusal.title))


def _answering(problem: Problem) -> Callable[[Request, Exception], Awaitable[Response]]:
    async def answer(request: Request, _cause: Exception) -> Response:
        return document(request, problem)

    return answer
