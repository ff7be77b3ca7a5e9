"""The page that lists every event, command, refusal and figure, made from the code: `docs/catalogue.md`."""

import inspect
from collections.abc import Iterable, Iterator, Mapping
from typing import Final

from grpc import StatusCode
from pydantic import BaseModel

from infra.appender import ConcurrentChange, KeyReused
from infra.problems import Problem
from infra.status.model import (
    DriftStatus,
    Lag,
    OutboxStatus,
    ParkedStatus,
    ProcessStatus,
    QueueStatus,
    ServerStatus,
    Status,
)
from query_api.refusals import PROBLEMS
from tests.architecture.catalogue_messages import messages
from tests.architecture.markdown import heading, table
from write_api.refusals import STATUS
from write_api.refusals import problem_of as problem_of_command

_FIGURES: Final[Mapping[str, type[BaseModel]]] = {
    "Altogether": Status,
    "Processes": ProcessStatus,
    "Servers": ServerStatus,
    "Lag of the relay and of each subscription": Lag,
    "Outbox": OutboxStatus,
    "RabbitMQ": QueueStatus,
    "Dead letters": ParkedStatus,
    "Drift": DriftStatus,
}
_GENERAL: Final = (400, 401, 403, 404, 405, 406, 413, 415, 422, 500, 503, 504)


def page() -> str:
    """Give the page as Markdown."""
    return "\n".join(_lines()) + "\n"


def _lines() -> Iterator[str]:
    yield from heading(
        1,
        "Catalogue",
        "Made from the code by `make contracts`. Schemas are in `schemas/json/`, channels in `docs/asyncapi.json`.",
    )
    yield from messages()
    yield from _refusals()
    yield from _figures()


def _refusals() -> Iterator[str]:
    about = "The type of a problem document is `/problems/` and this name; gRPC says it in `google.rpc.ErrorInfo`."
    yield from heading(2, "Refusals", about)
    yield from heading(3, "Of commands, by the rules")
    rows = (
        (f"`{kind.code}`", str(status), f"`{code.name}`", kind.title, kind.sentence)
        for kind, (status, code) in sorted(STATUS.items(), key=lambda row: row[0].code)
    )
    yield from table(("name", "HTTP", "gRPC", "title", "sentence"), rows)
    yield from heading(3, "Of questions")
    yield from _problems(PROBLEMS.values())
    yield from heading(3, "Of any request")
    yield from _problems([*map(Problem, _GENERAL), *_of_commands()])


def _of_commands() -> Iterator[Problem]:
    for cause in (ConcurrentChange(), KeyReused()):
        if problem := problem_of_command(cause):
            yield problem


def _problems(problems: Iterable[Problem]) -> Iterator[str]:
    told: Mapping[str, Problem] = {problem.kind: problem for problem in problems}
    rows = (
        (f"`{kind}`", str(problem.status_code), _code(problem.code), problem.detail) for kind, problem in told.items()
    )
    yield from table(("name", "HTTP", "gRPC", "sentence"), rows)


def _code(code: StatusCode) -> str:
    return "none" if code is StatusCode.UNKNOWN else f"`{code.name}`"


def _figures() -> Iterator[str]:
    yield from heading(2, "Figures", "What `orderflow status` tells, as JSON where it is piped.")
    for title, kind in _FIGURES.items():
        yield from heading(3, title, *([inspect.cleandoc(kind.__doc__)] if kind.__doc__ else []))
        rows = ((f"`{name}`", field.description or "") for name, field in kind.model_fields.items())
        yield from table(("figure", "what it tells"), rows)
