"""`orderflow dlq`: see what could not be done, and try it again, change it or give it up."""

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, TypeVar

import typer

from infra.commands.options import Data, Dsn, Reveal
from infra.commands.output import AsJson, wants_json

if TYPE_CHECKING:
    from infra.parked_stream import Result
    from infra.redelivery import Redelivery

T = TypeVar("T")

dlq = typer.Typer(help="Look at messages that failed for good, and try them again.", no_args_is_help=True)

Id = Annotated[str, typer.Argument(metavar="ID", help="Of a dead letter, or how it begins or ends.")]
Consumer = Annotated[str | None, typer.Option(help="Only of this one, such as order_views or payments.work.")]
Reason = Annotated[str, typer.Option(help="Kept with the letter.")]


@dlq.command("list")
def list_letters(  # noqa: PLR0913  # one parameter an option
    *,
    consumer: Consumer = None,
    kind: Annotated[Literal["event", "command"] | None, typer.Option()] = None,
    status: Annotated[
        Literal["parked", "waiting", "retried", "discarded", "all"] | None,
        typer.Option(help="Without it, what blocks: the parked, and the first of each stream that waits."),
    ] = None,
    limit: Annotated[int, typer.Option("--limit", "-n", min=1, max=10_000)] = 50,
    dsn: Dsn = None,
    data: Data = None,
    as_json: AsJson = None,
) -> None:
    """List dead letters, the oldest first."""
    from infra.commands.dlq_output import show_list
    from infra.dead_letters import EVERY_STATUS, letters

    statuses = EVERY_STATUS if status == "all" else [status] if status else None

    async def look(session: "_Session") -> None:
        async with session.pool.connection() as connection:
            found = await letters(connection, consumer=consumer, kind=kind, statuses=statuses, limit=limit)
        show_list(found, as_json=wants_json(as_json))

    _run(dsn, data, look)


@dlq.command()
def show(
    letter_id: Id,
    *,
    reveal: Reveal = False,
    dsn: Dsn = None,
    data: Data = None,
    as_json: AsJson = None,
) -> None:
    """Show one letter, what was done with it, and what waits behind it."""
    from infra.commands.dlq_output import show_letter
    from infra.dead_letters import find

    async def look(session: "_Session") -> None:
        async with session.pool.connection() as connection:
            letter = await find(connection, letter_id)
            await show_letter(connection, letter, reveal=reveal, as_json=wants_json(as_json))

    _run(dsn, data, look)


@dlq.command()
def retry(  # noqa: PLR0913  # one parameter an option
    letter_id: Annotated[str | None, typer.Argument(metavar="[ID]", show_default=False)] = None,
    *,
    every: Annotated[bool, typer.Option("--all", help="Everything that is parked or waits.")] = False,
    consumer: Consumer = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would happen.")] = False,
    dsn: Dsn = None,
    data: Data = None,
    as_json: AsJson = None,
) -> None:
    """Send a command again, or apply a parked event and what waits behind it, all or nothing.

    Ends with 1 when something fails, or would fail.
    """
    from infra.dead_letters import find, letters

    if bool(letter_id) is every or (consumer and not every):
        raise typer.BadParameter("Name one ID, or --all with --consumer if you like.")

    async def work(session: "_Session") -> "list[Result]":
        async with session.pool.connection() as connection:
            wanted = [await find(connection, letter_id)] if letter_id else await letters(connection, consumer=consumer)
        return [result for each in wanted for result in await session.redelivery.retry(each, rehearse=dry_run)]

    _tell(_run(dsn, data, work), dry_run=dry_run, as_json=as_json)


@dlq.command()
def edit(  # noqa: PLR0913  # one parameter an option
    letter_id: Id,
    *,
    change: Annotated[
        list[str] | None, typer.Option("--set", metavar="PATH=VALUE", help="Such as command.quantity=2; repeatable.")
    ] = None,
    file: Annotated[Path | None, typer.Option(help="Take the whole body from here; - is the standard input.")] = None,
    reason: Annotated[str | None, typer.Option(help="Kept with the letter.")] = None,
    dsn: Dsn = None,
    data: Data = None,
    as_json: AsJson = None,
) -> None:
    """Change what a parked command asks for; without --set and --file, in $EDITOR. Then retry it."""
    from infra.commands.dlq_editing import edited
    from infra.commands.dlq_output import show_edited
    from infra.commands.failure import REFUSED, Failure
    from infra.dead_letters import EventLetter, claim, find
    from infra.dead_letters import edit as store

    if change and file:
        raise typer.BadParameter("Give --set or --file, not both.")

    async def work(session: "_Session") -> None:
        async with session.pool.connection() as connection:
            letter = await find(connection, letter_id)
        if isinstance(letter, EventLetter):
            raise Failure("An event is a fact and is never edited: mend what applies it, then retry.", REFUSED)
        if letter.status != "parked":
            raise Failure(f"The command was {letter.status}, so there is nothing left to edit.", REFUSED)
        body = edited(letter, change or (), file)
        async with session.pool.connection() as connection, connection.transaction():
            if not await claim(connection, letter):
                raise Failure("Somebody else has dealt with it meanwhile; look with `orderflow dlq show`.", REFUSED)
            await store(connection, letter, body, actor=session.actor, reason=reason)
        show_edited(letter, body, as_json=wants_json(as_json))

    _run(dsn, data, work)


@dlq.command()
def discard(  # noqa: PLR0913  # one parameter an option
    letter_id: Id,
    *,
    reason: Reason,
    release: Annotated[
        bool, typer.Option("--release", help="Apply what waits behind it, too: all or nothing.")
    ] = False,
    dsn: Dsn = None,
    data: Data = None,
    as_json: AsJson = None,
) -> None:
    """Give a letter up for ever. A discarded event is never applied by this consumer; other consumers do not care."""
    from infra.dead_letters import EventLetter, find

    async def work(session: "_Session") -> "list[Result]":
        async with session.pool.connection() as connection:
            letter = await find(connection, letter_id)
        if isinstance(letter, EventLetter) and letter.is_open:
            typer.secho(
                f"{letter.consumer} will never apply {letter.what} of stream {letter.stream_id}: "
                "what it shows or does for that stream may be wrong from here on.",
                fg=typer.colors.YELLOW,
                err=True,
            )
        return await session.redelivery.discard(letter, reason, release=release)

    results = _run(dsn, data, work)
    if not release and any(result.outcome == "blocked" for result in results):
        typer.secho(
            f"What waits behind it still waits: orderflow dlq retry {results[-1].letter.short_id}",
            fg=typer.colors.YELLOW,
            err=True,
        )
    _tell(results[:1] if not release else results, dry_run=False, as_json=as_json)


class _Session:
    def __init__(self, pool: Any, redelivery: "Redelivery", actor: str) -> None:  # noqa: ANN401  # imported late
        self.pool = pool
        self.redelivery = redelivery
        self.actor = actor


def _run(dsn: str | None, data: Path | None, work: "Callable[[_Session], Awaitable[T]]") -> "T":
    import asyncio

    from redis.exceptions import RedisError

    from infra.appender import LogUnavailable
    from infra.commands.failure import UNREACHABLE, Failure
    from infra.commands.platform_database import opened, operator, settings_of
    from infra.consumers import Unavailable
    from infra.dead_letters import NotFound
    from infra.redelivery import Redelivery
    from infra.subscription import Outage

    async def run() -> "T":
        settings = settings_of(dsn, data)
        async with opened(settings) as pool:
            return await work(_Session(pool, Redelivery(settings, pool, actor=operator()), operator()))

    try:
        return asyncio.run(run())
    except NotFound as none:
        raise Failure(f"{none} `orderflow dlq list --status all` lists them.") from none
    except Unavailable as cannot:
        raise Failure(str(cannot)) from cannot
    except (LogUnavailable, Outage, RedisError) as lost:
        raise Failure("The event log or Redis does not answer. Try again in a moment.", UNREACHABLE) from lost


def _tell(results: "list[Result]", *, dry_run: bool, as_json: bool | None) -> None:
    from infra.commands.dlq_output import show_results

    show_results(results, dry_run=dry_run, as_json=wants_json(as_json))
    raise typer.Exit(not all(result.well for result in results))
