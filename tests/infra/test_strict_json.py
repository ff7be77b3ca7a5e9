import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from infra.strict_json import MAX_DEPTH, parse

JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**63) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=20,
)


@given(JSON_VALUES)
def test_whatever_means_one_thing_is_parsed(value: Any) -> None:  # noqa: ANN401  # JSON is any value
    assert parse(json.dumps(value).encode()) == value


def nested(opening: bytes, closing: bytes, depth: int) -> bytes:
    return opening * depth + b"1" + closing * depth


@pytest.mark.parametrize(
    ("opening", "closing", "deepest"),
    [(b"[", b"]", MAX_DEPTH), (b'{"a":', b"}", MAX_DEPTH), (b'[{"a":', b"}]", MAX_DEPTH // 2)],
)
def test_nesting_is_bounded(opening: bytes, closing: bytes, deepest: int) -> None:
    parse(nested(opening, closing, deepest))
    with pytest.raises(ValueError, match="nested"):
        parse(nested(opening, closing, deepest + 1))


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"NaN",
        b"[Infinity]",
        b'{"a":-Infinity}',
        b'{"a":1,"a":1}',
        b'{"a":1,"\\u0061":2}',
        b'{"a":{"b":1,"b":2}}',
        b"{} {}",
        b"9" * 5_000,
        b'"\xff"',
        b"\xef\xbb\xbf{}",
        '{"a":1}'.encode("utf-16"),
        '{"a":1}'.encode("utf-32"),
        b"'a'",
        b"{a:1}",
        b"[1,]",
        b"01",
        b"+1",
        b"0x1",
        b"[" * 100_000,
        b"/* */ 1",
        b'"\x00"',
    ],
)
def test_what_is_not_strict_json_is_refused(body: bytes) -> None:
    with pytest.raises((ValueError, RecursionError)):
        parse(body)
