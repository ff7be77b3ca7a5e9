"""Opaque places in a list or in the stream: a client can keep one and hand it back, never read or alter it."""

import base64
import binascii
import json
from hashlib import sha512
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESSIV
from pydantic import SecretStr

Place = tuple[str | int, ...]

MAX_CURSOR: Final = 512
"""Longest cursor, in characters, that is looked at."""


class CursorRefused(Exception):  # noqa: N818  # a state of the world, not a fault
    """Not a cursor that was given out for this question by this caller."""


class Cursors:
    """Seals places with AES-SIV (RFC 5297): secret, authentic, and the same place gives the same text.

    A cursor is bound to its `context` (such as tenant, what the caller may see, and the query) and opens in no other.
    """

    def __init__(self, secret: SecretStr) -> None:
        key = sha512(b"orderflow cursors 1\0" + secret.get_secret_value().encode()).digest()
        self._cipher = AESSIV(key)

    def seal(self, place: Place, context: tuple[str, ...]) -> str:
        """Give the text that stands for `place`, made of URL-safe characters."""
        sealed = self._cipher.encrypt(json.dumps(place).encode(), _bound(context))
        return base64.urlsafe_b64encode(sealed).decode().rstrip("=")

    def open(self, cursor: str, context: tuple[str, ...]) -> Place:
        """Give the place back; raises CursorRefused for anything that `seal` did not give for this context."""
        try:
            sealed = base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True)
            if base64.urlsafe_b64encode(sealed).decode().rstrip("=") != cursor:
                raise CursorRefused
            return tuple(json.loads(self._cipher.decrypt(sealed, _bound(context))))
        except (binascii.Error, InvalidTag, ValueError) as refused:
            raise CursorRefused from refused


def _bound(context: tuple[str, ...]) -> list[bytes]:
    return [part.encode() for part in context]
