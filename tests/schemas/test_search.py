from hypothesis import given
from hypothesis import strategies as st

from schemas.search import search_query, search_words


def test_case_accents_and_punctuation_do_not_matter() -> None:
    assert search_words("Açaí, FIL-1000 açaí") == ("acai", "fil", "1000")


def test_a_query_asks_for_rows_with_a_word_beginning_with_each_of_its_words() -> None:
    assert search_query("Zoë O'N", str.upper) == "(zoe:* | ZOE) & (o:* | O) & (n:* | N)"


def test_a_query_without_a_word_is_empty() -> None:
    assert search_query("'; -- %", str.upper) == ""


def test_characters_that_stand_for_several_are_found_as_those() -> None:
    assert search_words("Roast\u2120 \ufb01ne") == ("roastsm", "fine")


@given(st.text())
def test_words_hold_nothing_that_a_query_language_reads(text: str) -> None:
    assert all(word.isalnum() for word in search_words(text))


@given(st.text())
def test_words_of_words_are_the_same_words(text: str) -> None:
    words = search_words(text)
    assert search_words(" ".join(words)) == words


@given(st.text(st.characters(codec="ascii")))
def test_ascii_is_split_as_any_other_text(text: str) -> None:
    assert search_words(f"{text} \u00e9\u00e9\u00e9") == tuple(dict.fromkeys((*search_words(text), "eee")))
