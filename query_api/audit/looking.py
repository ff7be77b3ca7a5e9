"""Makes a question one whose asking by an auditor is recorded before it is answered."""

from collections.abc import Awaitable, Callable, Coroutine, Iterable, Mapping
from dataclasses import dataclass
from functools import wraps
from inspect import signature
from typing import Any, Concatenate, Final, ParamSpec, Protocol, TypeVar
from uuid import UUID

from pydantic import BaseModel

from infra.auth import Caller
from infra.problems import Problem
from query_api.audit.record import SHOWN, Looks, Seen
from query_api.reading import Found
from query_api.refusals import problem_of
from schemas.search import search_words
from schemas.views import Dashboard

_NOT_TOLD: Final = {"cursor", "min_position", "wait"}
_TELLING: Final = frozenset({403, 404})
"""Refusals that an auditor learns something from, or tried to."""


class Looked(Protocol):
    looks: Looks


Q = TypeVar("Q", bound=Looked)
P = ParamSpec("P")
B = TypeVar("B", bound=BaseModel)
Ask = Callable[Concatenate[Q, Caller, P], Awaitable[Found[B]]]


def look(
    path: str, *, contacts: bool = False
) -> Callable[[Ask[Q, P, B]], Callable[Concatenate[Q, Caller, P], Coroutine[Any, Any, Found[B]]]]:
    """Decorate a question. `path` is where it is asked over HTTP, with the names of the method's own parameters.

    `contacts` says that a reason opens contacts in its answer. The question may raise LookNotRecorded besides.
    """

    def decorate(ask: Ask[Q, P, B]) -> Callable[Concatenate[Q, Caller, P], Coroutine[Any, Any, Found[B]]]:
        form = signature(ask)

        @wraps(ask)
        async def looked(self: Q, by: Caller, /, *args: P.args, **kwargs: P.kwargs) -> Found[B]:
            if not by.audits:
                return await ask(self, by, *args, **kwargs)
            asked = _Asked(path, dict(list(form.bind(self, by, *args, **kwargs).arguments.items())[2:]))
            try:
                found = await ask(self, by, *args, **kwargs)
            except Exception as error:
                problem = error if isinstance(error, Problem) else problem_of(error)
                if problem is not None and problem.status_code in _TELLING:
                    await self.looks.record(by, asked.seen(problem.kind))
                raise
            revealed = contacts and by.reason is not None
            await self.looks.record(by, asked.seen(SHOWN, _rows(found.body), revealed=revealed))
            return found

        return looked

    return decorate


@dataclass(frozen=True, slots=True)
class _Asked:
    path: str
    given: Mapping[str, Any]
    """Arguments by name; `asked` is the query."""

    def seen(self, outcome: str, rows: Iterable[object] = (), *, revealed: bool = False) -> Seen:
        about = (*self.given.values(), *rows)
        return Seen(
            question=self.path.format(**self.given),
            parameters=_parameters(self.given["asked"]),
            outcome=outcome,
            orders=self._ids("order_id", about),
            customers=self._ids("customer_id", about),
            revealed=revealed,
        )

    def _ids(self, name: str, about: Iterable[object]) -> frozenset[UUID]:
        found = (self.given.get(name), *(getattr(each, name, None) for each in about))
        return frozenset(each for each in found if isinstance(each, UUID))


def _parameters(asked: BaseModel) -> dict[str, Any]:
    """Give the parameters that may be recorded: of words, which may be of a name, only how many."""
    given = asked.model_dump(mode="json", by_alias=True, exclude_defaults=True, exclude=_NOT_TOLD)
    if "q" in given:
        given["q"] = f"{len(search_words(given['q']))} words"
    return given


def _rows(body: BaseModel) -> Iterable[object]:
    if isinstance(body, Dashboard):
        return body.recent_orders
    rows: Iterable[object] = getattr(body, "items", (body,))
    return rows
