"""How dead letters are told: tables for people, one JSON object a line for programs."""

import json
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import typer
from psycopg import AsyncConnection
from pydantic import ValidationError

from infra.commands.events import readable
from infra.commands.output import write_json, write_table
from infra.dead_letters import Action, EventLetter, Letter, actions, of_stream
from infra.event_log import Stored, load
from infra.parked_stream import Result, unreadable

Json = dict[str, Any]


def show_list(letters: Sequence[Letter], *, as_json: bool) -> None:
    if as_json:
        for letter in letters:
            write_json(_told(letter))
        return
    rows = [
        (
            letter.short_id,
            letter.consumer,
            letter.status,
            _what(letter),
            letter.error,
            letter.attempts,
            _age(letter.parked_at),
            letter.behind if isinstance(letter, EventLetter) else "",
        )
        for letter in letters
    ]
    write_table("Dead letters", ("id", "consumer", "status", "what", "error", "attempts", "age", "behind"), rows)


async def show_letter(connection: AsyncConnection[Any], letter: Letter, *, reveal: bool, as_json: bool) -> None:
    message = await _event(connection, letter, reveal=reveal) if isinstance(letter, EventLetter) else _body(letter.body)
    behind = await _behind(connection, letter) if isinstance(letter, EventLetter) else []
    done = await actions(connection, letter)
    if as_json:
        original = None if isinstance(letter, EventLetter) else letter.original_body
        write_json(
            {
                **_told(letter),
                "message": message,
                **({"original": _body(original)} if original else {}),
                "actions": [_action(each) for each in done],
                "waiting": [_told(each) for each in behind],
            }
        )
        return
    rows = [(name, value) for name, value in _told(letter).items() if value is not None]
    write_table(f"Dead letter {letter.short_id}", ("", ""), rows)
    typer.echo(json.dumps(message, indent=2, ensure_ascii=False) if isinstance(message, dict) else message)
    if done:
        deeds = [(_moment(each.acted_at), each.action, each.actor, each.reason) for each in done]
        write_table("What was done with it", ("at (UTC)", "action", "by", "reason"), deeds)
    if behind:
        waiting = [(each.short_id, each.what, each.position) for each in behind]
        write_table("What waits behind it, in order", ("id", "what", "position"), waiting)
    if letter.is_open:
        typer.echo(f"What a retry would do: orderflow dlq retry {letter.short_id} --dry-run")


def show_results(results: Sequence[Result], *, dry_run: bool, as_json: bool) -> None:
    if as_json:
        for result in results:
            told = {"dead_letter_id": str(result.letter.dead_letter_id), "consumer": result.letter.consumer}
            told |= {"what": _what(result.letter), "outcome": result.outcome, "says": result.says}
            write_json({**told, "changes": result.changes, "dry_run": dry_run})
        return
    rows = [
        (
            result.letter.short_id,
            result.letter.consumer,
            _what(result.letter),
            result.outcome,
            "\n".join((result.says, *result.changes)),
        )
        for result in results
    ]
    if not rows:
        typer.echo("There is nothing to retry.")
        return
    title = "What would happen" if dry_run else "What happened"
    write_table(title, ("id", "consumer", "what", "outcome", ""), rows)


def show_edited(letter: Letter, body: bytes, *, as_json: bool) -> None:
    if as_json:
        write_json({"dead_letter_id": str(letter.dead_letter_id), "message": _body(body)})
    else:
        typer.echo(f"It is edited. Next: orderflow dlq retry {letter.short_id} --dry-run")


def _told(letter: Letter) -> Json:
    told: Json = {
        "dead_letter_id": str(letter.dead_letter_id),
        "kind": "event" if isinstance(letter, EventLetter) else "command",
        "consumer": letter.consumer,
        "status": letter.status,
        "what": _what(letter),
        "error": letter.error,
        "attempts": letter.attempts,
        "parked_at": letter.parked_at.astimezone(UTC).isoformat(),
    }
    if isinstance(letter, EventLetter):
        place = {"stream_id": str(letter.stream_id), "version": letter.version, "position": letter.position}
        return {**told, **place, "behind": letter.behind}
    return {**told, "message_id": str(letter.message_id), "edited": letter.original_body is not None}


def _what(letter: Letter) -> str:
    if isinstance(letter, EventLetter):
        return f"{letter.what} of {letter.stream_id}"
    command = _body(letter.body)
    asked = command.get("command") if isinstance(command, dict) else None
    if not isinstance(asked, dict):
        return "an unreadable command"
    return f"{asked.get('type')} for order {asked.get('order_id')}"


async def _event(connection: AsyncConnection[Any], letter: EventLetter, *, reveal: bool) -> Json | str:
    found = await load(connection, letter.stream_id, after_version=letter.version - 1)
    if not found or found[0].version != letter.version:
        return "The log does not hold this event."
    stored: Stored = found[0]
    try:
        return readable(stored, reveal=reveal)
    except ValidationError as error:
        bytes_as_text = stored.state.decode(errors="backslashreplace")
        shown = bytes_as_text if reveal else f"{len(stored.state)} bytes; --reveal shows them"
        return f"{unreadable(error)}\n{shown}"


async def _behind(connection: AsyncConnection[Any], letter: EventLetter) -> list[EventLetter]:
    stream = await of_stream(connection, letter.consumer, letter.stream_id)
    return [each for each in stream if each.is_open and each.version > letter.version]


def _body(body: bytes) -> Json | str:
    try:
        told = json.loads(body)
    except ValueError:
        return body.decode(errors="backslashreplace")
    return told if isinstance(told, dict) else str(told)


def _action(action: Action) -> Json:
    at = action.acted_at.astimezone(UTC).isoformat()
    return {"action": action.action, "actor": action.actor, "acted_at": at, "reason": action.reason}


def _moment(instant: datetime) -> str:
    return instant.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S")


def _age(since: datetime) -> str:
    seconds = int((datetime.now(UTC) - since).total_seconds())
    for unit, size in (("d", 86_400), ("h", 3_600), ("min", 60)):
        if seconds >= size:
            return f"{seconds // size} {unit}"
    return f"{max(seconds, 0)} s"
