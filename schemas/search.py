"""How text becomes searchable words: the same on the side that writes an index and on the side that asks it."""

import re
import unicodedata
from collections.abc import Callable
from typing import Final

_WORD: Final = re.compile(r"[^\W_]+")
_PLAIN_WORD: Final = re.compile(r"[a-z0-9]+")
"""The same in ASCII, where nothing needs to be taken apart: most of what is written, at a fifth of the time."""
_MAX_WORD: Final = 100


def search_words(text: str) -> tuple[str, ...]:
    """Split into distinct words without case, accents and punctuation, in order; only letters and digits remain."""
    words = _PLAIN_WORD.findall(text.lower()) if text.isascii() else _WORD.findall(_plain(text))
    return tuple(dict.fromkeys([word[:_MAX_WORD] for word in words]))


def _plain(text: str) -> str:
    return "".join(c for c in _folded(_folded(text)) if not unicodedata.combining(c))


def _folded(text: str) -> str:
    """Twice, because taking a compatibility character apart can bring out a capital: the sign of a service mark, SM."""
    return unicodedata.normalize("NFKD", text.casefold())


def without_blind(text: str) -> str:
    """Take out what stands for words that are not shown: it begins with a capital (`infra.tenant_keys`)."""
    return " ".join(word for word in text.split() if not word[0].isupper())


def search_query(text: str, blind: Callable[[str], str]) -> str:
    """Give the PostgreSQL `tsquery` that finds rows with a word starting with each word of `text`; empty if none.

    `blind` gives what stands for a word of which the index must not tell.

    Safe to cast (`%s::tsquery`): the words hold letters and digits only.
    """
    return " & ".join(f"({word}:* | {blind(word)})" for word in search_words(text))
