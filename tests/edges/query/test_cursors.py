from typing import Final

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr

from query_api.cursors import CursorRefused, Cursors, Place

CURSORS: Final = Cursors(SecretStr("a secret of this test"))
HERE: Final = ("orders", "tenant-a", "all", "sort=-placed_at")
ALPHABET: Final = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"

places = st.lists(st.integers(-(2**63), 2**63) | st.text(max_size=40), max_size=3).map(tuple)
contexts = st.lists(st.text(st.characters(codec="utf-8"), max_size=20), min_size=1, max_size=4).map(tuple)


@given(places, contexts)
def test_a_place_comes_back_from_its_cursor(place: Place, context: tuple[str, ...]) -> None:
    assert CURSORS.open(CURSORS.seal(place, context), context) == place


@given(places, contexts, contexts)
def test_a_cursor_opens_in_no_other_context(place: Place, context: tuple[str, ...], other: tuple[str, ...]) -> None:
    cursor = CURSORS.seal(place, (*context, "this"))
    with pytest.raises(CursorRefused):
        CURSORS.open(cursor, (*other, "other"))


@given(st.text(max_size=200))
def test_text_that_was_never_given_out_is_refused(text: str) -> None:
    with pytest.raises(CursorRefused):
        CURSORS.open(text, HERE)


@pytest.mark.parametrize("place", [(7,), (77,), (777,), (1_700_000_000_000_000, "0190-order")])
def test_every_flipped_bit_is_refused(place: Place) -> None:
    cursor = CURSORS.seal(place, HERE)
    forged = [
        cursor[:index] + ALPHABET[ALPHABET.index(letter) ^ (1 << bit)] + cursor[index + 1 :]
        for index, letter in enumerate(cursor)
        for bit in range(6)
    ]
    for candidate in forged:
        with pytest.raises(CursorRefused):
            CURSORS.open(candidate, HERE)


def test_every_shortened_cursor_is_refused() -> None:
    cursor = CURSORS.seal((7, "x"), HERE)
    for length in range(len(cursor)):
        with pytest.raises(CursorRefused):
            CURSORS.open(cursor[:length], HERE)


def test_a_cursor_of_another_secret_is_refused() -> None:
    with pytest.raises(CursorRefused):
        CURSORS.open(Cursors(SecretStr("another secret")).seal((7,), HERE), HERE)


def test_a_cursor_does_not_show_its_place() -> None:
    assert "7777777" not in CURSORS.seal((7777777,), HERE)


def test_the_same_place_gives_the_same_cursor() -> None:
    assert CURSORS.seal((7, "x"), HERE) == CURSORS.seal((7, "x"), HERE)
