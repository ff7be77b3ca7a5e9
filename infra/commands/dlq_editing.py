"""Changes the body of a parked command, and keeps what must not change."""

import json
import os
import shlex
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import typer
from pydantic import ValidationError

from infra.commands.failure import REFUSED, Failure
from infra.dead_letters import CommandLetter
from infra.parked_stream import unreadable
from schemas.commands import decode, encode, queue_of

_FIXED: Final = ("message_id", "tenant_id", "actor", "trace", "sent_at")
Json = dict[str, Any]


def edited(letter: CommandLetter, changes: Sequence[str], file: Path | None) -> bytes:
    """Give the new body, checked; raises Failure."""
    before = _parsed(letter.body.decode(errors="replace"), "The parked body is no JSON. Discard it, or give a --file.")
    if changes:
        after = _with(before, changes)
    else:
        text = _read(file) if file else _in_editor(json.dumps(before, indent=2, ensure_ascii=False))
        after = _parsed(text, "That is no JSON object.")
    if after == before:
        raise Failure("Nothing was changed.")
    return _checked(letter, before, after)


def _checked(letter: CommandLetter, before: Json, after: Json) -> bytes:
    if moved := [name for name in _FIXED if before.get(name) != after.get(name)]:
        raise Failure(f"Only the command can be edited: {', '.join(moved)} must stay as parked.", REFUSED)
    try:
        sent = decode(json.dumps(after).encode())
    except ValidationError as error:
        raise Failure(f"That is no command. {unreadable(error)}.", REFUSED) from error
    if queue_of(sent.command) != letter.consumer:
        raise Failure(f"{sent.command.type} is not for {letter.consumer}.", REFUSED)
    return encode(sent)


def _with(before: Json, changes: Sequence[str]) -> Json:
    after: Json = json.loads(json.dumps(before))
    for change in changes:
        path, equals, value = change.partition("=")
        *parents, name = path.split(".")
        inner: Any = after
        for parent in parents:
            inner = inner.get(parent) if isinstance(inner, dict) else None
        if not equals or not isinstance(inner, dict):
            raise typer.BadParameter(
                f"{change!r} is not PATH=VALUE with a path of the body, such as command.quantity=2"
            )
        inner[name] = _value(value)
    return after


def _value(text: str) -> object:
    try:
        return json.loads(text)
    except ValueError:
        return text


def _parsed(text: str, otherwise: str) -> Json:
    try:
        found = json.loads(text)
    except ValueError as error:
        raise Failure(otherwise, REFUSED) from error
    if not isinstance(found, dict):
        raise Failure(otherwise, REFUSED)
    return found


def _in_editor(text: str) -> str:
    editor = shlex.split(os.environ.get("VISUAL") or os.environ.get("EDITOR") or "vi")
    with tempfile.TemporaryDirectory(prefix="orderflow-") as folder:
        file = Path(folder) / "command.json"
        file.write_text(text + "\n")
        try:
            ended = subprocess.run([*editor, str(file)], check=False).returncode  # noqa: S603  # the user's own editor
        except OSError as error:
            raise Failure(f"{editor[0]} cannot be started: set EDITOR, or use --set or --file.") from error
        if ended:
            raise Failure(f"{editor[0]} ended with {ended}; nothing was changed.")
        return file.read_text()


def _read(file: Path) -> str:
    try:
        return sys.stdin.read() if str(file) == "-" else file.read_text()
    except (OSError, UnicodeDecodeError) as error:
        raise Failure(f"{file} cannot be read.") from error
