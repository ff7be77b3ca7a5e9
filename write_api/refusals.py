"""Which status a caller is answered with for each refusal: the one table for every edge."""

from dataclasses import dataclass
from typing import Final

from fastapi import FastAPI
from grpc import StatusCode
from psycopg import OperationalError
from psycopg_pool import PoolTimeout

from domain import errors
from domain.errors import DomainError
from infra.appender import ConcurrentChange, KeyReused, LogUnavailable
from infra.problems import Problem, answer_refusals


@dataclass(eq=False)
class VersionMismatch(DomainError):  # noqa: N818  # a state of the world
    """The caller has seen another version than the present one (`If-Match`)."""

    code = "version-mismatch"
    title = "The version does not match"
    sentence = "The version is {version}."
    version: int


STATUS: Final[dict[type[DomainError], tuple[int, StatusCode]]] = {
    VersionMismatch: (412, StatusCode.ABORTED),
    errors.ProductNotFound: (404, StatusCode.NOT_FOUND),
    errors.ProductAlreadyListed: (409, StatusCode.ALREADY_EXISTS),
    errors.ProductOffSale: (409, StatusCode.FAILED_PRECONDITION),
    errors.CurrencyMismatch: (409, StatusCode.FAILED_PRECONDITION),
    errors.StockNotFound: (404, StatusCode.NOT_FOUND),
    errors.StockLimitExceeded: (409, StatusCode.OUT_OF_RANGE),
    errors.AdjustmentBelowReserved: (409, StatusCode.FAILED_PRECONDITION),
    errors.OrderNotFound: (404, StatusCode.NOT_FOUND),
    errors.OrderAlreadyPlaced: (409, StatusCode.ALREADY_EXISTS),
    errors.DuplicateSku: (409, StatusCode.INVALID_ARGUMENT),
    errors.OrderTotalTooLarge: (409, StatusCode.OUT_OF_RANGE),
    errors.OrderNotConfirmed: (409, StatusCode.FAILED_PRECONDITION),
    errors.OrderClosed: (409, StatusCode.FAILED_PRECONDITION),
    errors.OrderStillOpen: (409, StatusCode.FAILED_PRECONDITION),
    errors.OrderAlreadyShipped: (409, StatusCode.FAILED_PRECONDITION),
    errors.NothingLeftToShip: (409, StatusCode.FAILED_PRECONDITION),
    errors.PickExceedsOrder: (409, StatusCode.FAILED_PRECONDITION),
    errors.ShipmentNotFound: (404, StatusCode.NOT_FOUND),
    errors.PaymentNotFound: (404, StatusCode.NOT_FOUND),
    errors.EmptyRefund: (409, StatusCode.INVALID_ARGUMENT),
    errors.RefundExceedsCaptured: (409, StatusCode.FAILED_PRECONDITION),
}
"""Every refusal that a caller can meet: what HTTP calls it, and what gRPC.

A `domain.defects.Defect` is none: it is answered with 500 and looked at.
"""

_RETRY: Final = {"retry-after": "1"}
_ELSE: Final[dict[type[Exception], Problem]] = {
    ConcurrentChange: Problem(
        409, "concurrent-change", "This kept changing meanwhile. Try again.", headers=_RETRY, code=StatusCode.ABORTED
    ),
    KeyReused: Problem(422, "idempotency-key-reused", "This idempotency key was used for another request."),
    LogUnavailable: Problem(503, headers=_RETRY),
    OperationalError: Problem(503, headers=_RETRY),
    PoolTimeout: Problem(503, headers=_RETRY),
}


def problem_of(error: Exception) -> Problem | None:
    """Name what a command failed with; None for a fault of ours."""
    if isinstance(error, DomainError):
        if type(error) not in STATUS:
            return None
        status, code = STATUS[type(error)]
        return Problem(status, error.code, str(error), title=error.title, code=code)
    return next((problem for cause, problem in _ELSE.items() if isinstance(error, cause)), None)


def install_refusals(app: FastAPI) -> None:
    """Answer refusals, conflicts and an unreachable log with problem documents."""
    answer_refusals(app, (DomainError, *_ELSE), problem_of)
