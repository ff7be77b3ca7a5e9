"""Whoever changes the record of looks is found by anybody who reads it, without a server or a key."""

from datetime import UTC, datetime
from typing import Any

import pytest

from infra.commands.audit_looks import Chain, row
from schemas.ids import new_id
from schemas.looks import FIRST, Look, hash_of

Json = dict[str, Any]


def look(number: int, previous: str, *, reason: str | None = None) -> Json:
    told = Look(
        tenant_id="kaffa",
        number=number,
        look_id=new_id(),
        looked_at=datetime(2026, 3, 2, 12, number, tzinfo=UTC),
        subject="rita",
        question="/v1/orders",
        parameters={"limit": 3},
        outcome="shown",
        orders=(new_id(), new_id()),
        customers=(),
        revealed=reason is not None,
        reason=reason,
        previous=previous,
        hash="",
    ).model_dump(mode="json")
    return {**told, "hash": hash_of(told)}


@pytest.fixture
def looks() -> list[Json]:
    """Four, the first one first."""
    made: list[Json] = []
    for number in range(1, 5):
        made.append(look(number, made[-1]["hash"] if made else FIRST, reason="complaint 4711: reclamação"))
    return made


def chain_of(looks: list[Json], *held: str) -> Chain:
    chain = Chain(held)
    for each in reversed(looks):
        chain.take(each)
    chain.end()
    return chain


def test_what_was_recorded_is_one_chain(looks: list[Json]) -> None:
    chain = chain_of(looks, looks[0]["hash"])
    assert (chain.is_well, chain.looks, chain.newest) == (True, 4, looks[-1]["hash"])
    assert looks[-1]["hash"] in chain.line()
    assert chain_of([]).is_well


@pytest.mark.parametrize("name", [name for name in Look.model_fields if name != "hash"])
def test_a_changed_look_is_found(looks: list[Json], name: str) -> None:
    looks[1][name] = 7 if name == "number" else "changed"
    assert chain_of(looks).first_bad == 2


@pytest.mark.parametrize("number", [1, 2, 3])
def test_a_look_that_was_taken_out_is_found(looks: list[Json], number: int) -> None:
    assert chain_of([each for each in looks if each["number"] != number]).first_bad == number


def test_a_changed_look_with_a_hash_of_its_own_is_found(looks: list[Json]) -> None:
    changed = {**looks[1], "subject": "nobody"}
    looks[1] = {**changed, "hash": hash_of(changed)}
    chain = chain_of(looks)
    assert (chain.is_well, chain.first_bad) == (False, 2)
    assert "first at look 2" in chain.line()


def test_that_the_newest_were_cut_off_is_told_by_a_hash_that_was_kept(looks: list[Json]) -> None:
    assert chain_of(looks[:2]).is_well
    chain = chain_of(looks[:2], looks[-1]["hash"])
    assert (chain.is_well, chain.told()["missing"]) == (False, [looks[-1]["hash"]])


def test_people_are_told_who_looked_at_what_and_why(looks: list[Json]) -> None:
    told = ("2026-03-02 12:01:00", "rita", "/v1/orders (limit 3)", "shown, 2 orders", "complaint 4711: reclamação")
    assert row(looks[0]) == told
