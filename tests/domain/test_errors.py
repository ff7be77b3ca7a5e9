from collections.abc import Iterator
from dataclasses import fields

import pytest

from domain.aggregate import BrokenHistory
from domain.aggregates import ORDER
from domain.errors import DomainError
from tests.examples import confirmed


def _refusals(kind: type[DomainError] = DomainError) -> Iterator[type[DomainError]]:
    for refusal in kind.__subclasses__():
        if "code" in vars(refusal):
            yield refusal
        yield from _refusals(refusal)


REFUSALS = list(_refusals())


@pytest.mark.parametrize("refusal", REFUSALS)
def test_every_refusal_makes_one_sentence_of_its_fields(refusal: type[DomainError]) -> None:
    sentence = str(refusal(**{field.name: f"<{field.name}>" for field in fields(refusal)}))
    assert sentence.endswith(".")
    assert all(f"<{field.name}>" in sentence for field in fields(refusal))


def test_every_refusal_has_a_code_of_its_own_in_kebab_case() -> None:
    codes = [refusal.code for refusal in REFUSALS]
    assert len(set(codes)) == len(codes)
    assert all(code.replace("-", "").isalpha() and code.islower() for code in codes)


def test_a_history_without_a_beginning_is_broken_and_not_refused() -> None:
    with pytest.raises(BrokenHistory):
        ORDER.fold([confirmed()])
