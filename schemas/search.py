"""How text becomes searchable words: the same on the side that writes an index and on the side that asks it."""

import re
import unicodedata
from typing import Final

_WORD: Final = re.compile(r"[^\W_]+")
_MAX_WORD: Final = 100


def search_words(text: str) -> tuple[str, ...]:
    """Split into distinct words without case, accents and punctuation, in order; only letters and digits remain."""
    plain = "".join(c for c in _folded(_folded(text)) if not unicodedata.combining(c))
    return tuple(dict.fromkeys(word[:_MAX_WORD] for word in _WORD.findall(plain)))


def _folded(text: str) -> str:
    """Twice, because taking a compatibility character apart can bring out a capital: the sign of a service mark, SM."""
    return unicodedata.normalize("NFKD", text.casefold())


def search_query(text: str) -> str:
    """Give the PostgreSQL `tsquery` that finds rows with a word starting with each word of `text`; empty if none.

    Safe to cast (`%s::tsquery`): the words hold letters and digits only.
    """
    return " & ".join(f"{word}:*" for word in search_words(text))
