"""The little Markdown that the catalogue is made of."""

from collections.abc import Iterable, Iterator


def heading(level: int, title: str, *said: str) -> Iterator[str]:
    """Begin a part of the page; each of `said` is a paragraph."""
    for paragraph in (f"{'#' * level} {title}", *said):
        yield paragraph
        yield ""


def table(head: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> Iterator[str]:
    yield f"| {' | '.join(head)} |"
    yield f"|{'---|' * len(head)}"
    for row in rows:
        yield f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in row)} |"
    yield ""


def listed(names: Iterable[str]) -> str:
    return ", ".join(f"`{name}`" for name in names)
