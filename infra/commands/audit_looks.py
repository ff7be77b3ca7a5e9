"""Carries out `orderflow audit looks` and `verify-looks`, through the query API."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from infra.commands.output import facts_in_words, moment
from schemas.looks import FIRST, hash_of

if TYPE_CHECKING:
    from infra.client import Api

PATH: Final = "/v1/audit/looks"
COLUMNS: Final = ("at (UTC)", "who", "looked at", "outcome", "revealed for")


def row(look: Mapping[str, Any]) -> tuple[str, ...]:
    """Give a line of the table."""
    asked = facts_in_words(look["parameters"])
    what = f"{look['question']} ({asked})" if asked else look["question"]
    count = len(look["orders"])
    shown = f"{look['outcome']}, {count} orders" if count > 1 else look["outcome"]
    reason = look["reason"] if look["revealed"] else ""
    return moment(look["looked_at"]), look["subject"], what, shown, reason


@dataclass(slots=True)
class Chain:
    """The looks of a tenant, taken in from the newest to the first."""

    held: Iterable[str] = ()
    """Hashes that somebody has kept; each must be of one of the looks."""
    looks: int = 0
    newest: str = FIRST
    first_bad: int | None = None
    """The lowest number at which a look is not as it was recorded, or is missing."""
    _hashes: set[str] = field(default_factory=set)
    _number: int | None = None
    """Of the look that must come next."""
    _hash: str | None = None
    """That of the look that must come next; nothing where the one after it, which says so, cannot be believed."""

    def take(self, look: Mapping[str, Any]) -> None:
        if self._number is None:
            self.newest, self._number = look["hash"], look["number"]
        is_whole = hash_of(look) == look["hash"]
        if not is_whole or look["number"] != self._number or self._hash not in (None, look["hash"]):
            self.first_bad = self._number
        self.looks += 1
        self._hashes.add(look["hash"])
        self._number = (look["number"] if is_whole else self._number) - 1
        self._hash = look["previous"] if is_whole else None

    def end(self) -> None:
        """Say that there are no more."""
        if self._number not in (None, 0) or self._hash not in (None, FIRST):
            self.first_bad = 1

    @property
    def missing(self) -> list[str]:
        """Give what somebody has kept and the record does not have."""
        return [each for each in self.held if each not in self._hashes]

    @property
    def is_well(self) -> bool:
        return self.first_bad is None and not self.missing

    def told(self) -> dict[str, Any]:
        return {
            "well": self.is_well,
            "looks": self.looks,
            "newest_hash": self.newest,
            "first_bad_number": self.first_bad,
            "missing": self.missing,
        }

    def line(self) -> str:
        if self.first_bad is not None:
            return f"NOT AS RECORDED, first at look {self.first_bad}: it was changed, taken out or put in."
        if self.missing:
            return f"CUT OFF: {self.looks:,} looks are one chain, and none of them has the hash {self.missing[0]}."
        return f"All {self.looks:,} looks are as recorded. Keep the hash of the newest elsewhere: {self.newest}"


async def verified(api: "Api", held: Iterable[str]) -> Chain:
    chain = Chain(tuple(held))
    async for look in api.each(PATH):
        chain.take(look)
    chain.end()
    return chain
