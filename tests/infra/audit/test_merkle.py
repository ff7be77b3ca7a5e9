"""The tree of RFC 9162: the vectors of its reference implementation, and what holds of any tree."""

from hashlib import sha256

import pytest
from hypothesis import given
from hypothesis import strategies as st

from infra.audit.merkle import EMPTY_ROOT, Frontier, Tree, split
from infra.audit.verify_bundle import node_hash, root_of

INPUTS = [
    bytes.fromhex(text)
    for text in ("", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f")
]
"""Of certificate-transparency's merkle_tree_test.cc, as are the hashes below."""
ROOTS = [
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
]
PATHS = {
    (0, 8): [
        "96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7",
        "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
        "6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4",
    ],
    (5, 8): [
        "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
        "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
        "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    ],
    (2, 3): ["fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125"],
    (1, 5): [
        "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
        "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
        "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
    ],
}


def leaf(data: bytes) -> bytes:
    return sha256(b"\x00" + data).digest()


def leaves(count: int) -> bytes:
    return b"".join(leaf(b"%d" % number) for number in range(count))


VECTORS = b"".join(map(leaf, INPUTS))
sizes = st.integers(1, 130)


@pytest.mark.parametrize("size", range(1, 9))
def test_roots_are_those_of_the_vectors(size: int) -> None:
    grown = Frontier().extend(split(VECTORS[: 32 * size]))
    assert grown.root().hex() == Tree(VECTORS).root(size).hex() == ROOTS[size - 1]


def test_the_root_of_nothing_is_the_hash_of_nothing() -> None:
    assert Frontier().root() == Tree(b"").root() == EMPTY_ROOT


@pytest.mark.parametrize(("index", "size"), PATHS)
def test_paths_are_those_of_the_vectors(index: int, size: int) -> None:
    assert [each.hex() for each in Tree(VECTORS).inclusion(index, size)] == PATHS[index, size]


@given(sizes, st.data())
def test_every_leaf_is_proved_and_no_other(size: int, data: st.DataObject) -> None:
    tree = Tree(leaves(size))
    index, other = data.draw(st.integers(0, size - 1)), data.draw(st.integers(0, size + 1))
    path = tree.inclusion(index, size)
    mine = leaf(b"%d" % index)
    assert root_of(mine, index, size, path) == tree.root()
    assert root_of(leaf(b"other"), index, size, path) != tree.root()
    assert (root_of(mine, other, size, path) == tree.root()) == (other == index)


@given(sizes, st.data())
def test_a_path_with_anything_else_in_it_proves_nothing(size: int, data: st.DataObject) -> None:
    tree = Tree(leaves(size))
    index = data.draw(st.integers(0, size - 1))
    path = tree.inclusion(index, size)
    other = data.draw(st.sampled_from([path[:-1], [*path, leaf(b"more")], [leaf(b"less"), *path[1:]], path[::-1]]))
    proved = root_of(leaf(b"%d" % index), index, size, other) == tree.root()
    assert proved == (other == path)


@given(sizes, st.data())
def test_a_path_of_another_length_leads_nowhere(size: int, data: st.DataObject) -> None:
    index = data.draw(st.integers(0, size - 1))
    path = Tree(leaves(size)).inclusion(index, size)
    for other in ([*path, leaf(b"more")], path[:-1]):
        assert (root_of(leaf(b"%d" % index), index, size, other) is None) == (other != path)


@given(st.lists(st.integers(0, 20), max_size=8))
def test_a_tree_grows_the_same_in_any_steps(steps: list[int]) -> None:
    tree, grown = Frontier(), 0
    for step in steps:
        tree = Frontier(tree.size, bytes(tree)).extend(split(leaves(grown + step)[32 * grown :]))
        grown += step
    assert (tree.size, tree.root()) == (grown, Tree(leaves(grown)).root())


def test_what_cannot_be_a_frontier_is_refused() -> None:
    with pytest.raises(ValueError, match="2 complete subtrees"):
        Frontier(3, bytes(32))


def test_a_node_is_not_a_leaf() -> None:
    one, two = leaf(b"1"), leaf(b"2")
    assert node_hash(one, two) != leaf(one + two)
