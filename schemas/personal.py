"""The mark on messages whose fields are about a person, and the form in which they are kept."""

from typing import Annotated
from uuid import UUID

from pydantic import Field, StringConstraints

from schemas.base import Message

MAX_BOX = 8_192
Box = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9+/]+={0,2}$", max_length=MAX_BOX)]


class Personal(Message):
    """Every field is personal. Held in one nested object per message so that it can be sealed and erased as one.

    Logs, traces, dead letters and the command bus never carry it; projections copy it only into the views that are
    meant to show it. `repr` hides the values, so that a traceback does not leak them.
    """

    def __repr__(self) -> str:
        return f"{type(self).__name__}(...)"

    __str__ = __repr__


class Sealed(Message):
    """A `Personal`, readable only with a key of its customer: whoever destroys the key erases every copy of it."""

    key_id: Annotated[UUID | None, Field(strict=False)]
    """Which key. Null where it was stored before fields were sealed: then the box holds the JSON in clear."""
    box: Box
    """Base64 of a nonce (12 bytes) and what AES-256-GCM made of the JSON, its tag (16 bytes) last. The associated data
    are `<stream id>/<version>/<field>` of the event, so that a box that is moved elsewhere does not open."""

    def kept(self) -> "Sealed":
        """Give what may be stored."""
        return self


class Findable(Sealed):
    """One that could be opened, with the words by which it is found. Lives in memory only."""

    words: tuple[str, ...]

    def kept(self) -> Sealed:
        return Sealed(key_id=self.key_id, box=self.box)
