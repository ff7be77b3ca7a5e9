"""The Merkle tree of RFC 9162 over the log: grown event by event, and asked for proofs that an event is in it.

Hashes are 32 bytes each; many of them are one `bytes`, end to end.
"""

from collections.abc import Iterable
from hashlib import sha256
from typing import Final, Self

from infra.audit.verify_bundle import node_hash

WIDTH: Final = 32
EMPTY_ROOT: Final = sha256(b"").digest()


class Frontier:
    """What a growing tree has to remember: the roots of its complete subtrees, the largest first."""

    def __init__(self, size: int = 0, hashes: bytes = b"") -> None:
        """Go on from `bytes(frontier)` of a tree of this size; raises ValueError when it cannot be one's."""
        if len(hashes) != WIDTH * size.bit_count():
            raise ValueError(f"a tree of {size} leaves has {size.bit_count()} complete subtrees")
        self.size = size
        self._hashes = [hashes[at : at + WIDTH] for at in range(0, len(hashes), WIDTH)]

    def extend(self, leaves: Iterable[bytes]) -> Self:
        hashes, size = self._hashes, self.size
        for leaf in leaves:
            merged, below = leaf, size
            while below & 1:
                merged = sha256(b"\x01" + hashes.pop() + merged).digest()
                below >>= 1
            hashes.append(merged)
            size += 1
        self.size = size
        return self

    def root(self) -> bytes:
        if not self._hashes:
            return EMPTY_ROOT
        *left, root = self._hashes
        for each in reversed(left):
            root = node_hash(each, root)
        return root

    def __bytes__(self) -> bytes:
        return b"".join(self._hashes)


def split(leaves: bytes) -> Iterable[bytes]:
    return (leaves[at : at + WIDTH] for at in range(0, len(leaves), WIDTH))


class Tree:
    """All of a tree, for proofs about any of its leaves at any of its sizes."""

    def __init__(self, leaves: bytes) -> None:
        self._levels = [leaves]
        while len(pairs := self._levels[-1]) >= 2 * WIDTH:
            starts = range(0, len(pairs) - 2 * WIDTH + 1, 2 * WIDTH)
            self._levels.append(b"".join(sha256(b"\x01" + pairs[at : at + 2 * WIDTH]).digest() for at in starts))

    @property
    def size(self) -> int:
        return len(self._levels[0]) // WIDTH

    def root(self, size: int | None = None) -> bytes:
        """Give the root that the tree has now, or had at an earlier size."""
        size = self.size if size is None else size
        return self._root(0, size) if size else EMPTY_ROOT

    def inclusion(self, index: int, size: int) -> list[bytes]:
        """Give PATH(index, D[size]): the hashes beside the way from a leaf to the root, the lowest first."""
        path = list[bytes]()
        start, end = 0, size
        while end - start > 1:
            middle = start + _left(end - start)
            if index < middle:
                path.append(self._root(middle, end))
                end = middle
            else:
                path.append(self._root(start, middle))
                start = middle
        return path[::-1]

    def _root(self, start: int, end: int) -> bytes:
        count = end - start
        if count.bit_count() == 1:
            at = start // count * WIDTH
            return self._levels[count.bit_length() - 1][at : at + WIDTH]
        middle = start + _left(count)
        return node_hash(self._root(start, middle), self._root(middle, end))


def _left(count: int) -> int:
    """Give how many of `count` leaves are in the left subtree: the largest power of two below it."""
    return int(1 << (count - 1).bit_length() - 1)
