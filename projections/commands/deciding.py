"""`orderflow replay --decide`: what the rules of this release would decide otherwise about what was recorded."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, astuple, dataclass
from pathlib import Path
from typing import Any, Final, NoReturn

import typer
from pydantic import ValidationError

from infra.commands.failure import Failure
from infra.commands.log_reading import everything, reading, size
from infra.commands.output import write_json, write_table
from infra.commands.progress import bars
from infra.event_log import Stored
from infra.histories import Differs
from infra.judging import judged
from projections.commands.session import carry_out
from projections.commands.stretch import Where, stretch_of
from projections.versions.replay import Stretch
from schemas.recorded import decode

_SHOWN: Final = 1_000


@dataclass(frozen=True, slots=True)
class Asked:
    """What is decided again: a part of a log, or what files hold."""

    files: Sequence[Path]
    tenant: str | None
    first: Where | None
    last: Where | None
    grace: float
    """Seconds that a history may still take to go on."""
    dsn: str | None
    data: Path | None


def decide_again(asked: Asked, *, as_json: bool) -> NoReturn:
    """List what differs, and end with 1 when something does."""
    found = list(_of_files(asked) if asked.files else _of_log(asked))
    if as_json:
        for each in found:
            write_json({**asdict(each), "stream_id": str(each.stream_id)})
    elif found:
        columns = ("position", "stream", "version", "decided by", "recorded", "now")
        write_table("Decisions that differ", columns, (astuple(each) for each in found[:_SHOWN]))
    else:
        typer.echo("Everything would be decided as it was.")
    raise typer.Exit(bool(found))


def _of_files(asked: Asked) -> Iterator[Differs]:
    if asked.first is not None or asked.last is not None:
        raise Failure("A file is decided as a whole: leave out --from and --until.")
    for path in asked.files:
        yield from judged(_of(asked.tenant, _lines(path)), grace=0)


def _of_log(asked: Asked) -> Iterator[Differs]:
    """Hear the log from its beginning, because that is what decisions rest on, and tell those of the stretch."""
    stretch = _stretch(asked)
    with reading(asked.dsn, asked.data) as connection:
        last = stretch.until if stretch else size(connection)
        with bars() as shown:
            log = shown.track(_until(everything(connection), last), total=last, description="Deciding again")
            for each in judged(_of(asked.tenant, log), grace=asked.grace):
                if stretch is None or each.position > stretch.after:
                    yield each


def _stretch(asked: Asked) -> Stretch | None:
    if asked.first is None and asked.last is None:
        return None

    async def look(pool: Any, _: object) -> Stretch:  # noqa: ANN401  # of whatever connections
        async with pool.connection() as connection:
            return await stretch_of(connection, asked.first, asked.last, asked.tenant)

    return carry_out(asked.dsn, asked.data, look)


def _until(log: Iterable[Stored], last: int) -> Iterator[Stored]:
    for stored in log:
        if stored.position > last:
            return
        yield stored


def _of(tenant: str | None, log: Iterable[Stored]) -> Iterator[Stored]:
    """Leave out what is known to be of another tenant; what cannot be read is not."""
    for stored in log:
        try:
            if tenant in (None, stored.recorded.tenant_id):
                yield stored
        except ValidationError:
            yield stored


def _lines(path: Path) -> Iterator[Stored]:
    try:
        lines = path.read_bytes().splitlines()
    except OSError as missing:
        raise Failure(f"{path} cannot be read: {missing.strerror}.") from missing
    for number, line in enumerate(lines, 1):
        try:
            recorded = decode(line)
        except ValidationError as wrong:
            raise Failure(f"Line {number} of {path} is no recorded event.") from wrong
        yield Stored(number, recorded.stream_id, recorded.version, recorded.event.type, line)
