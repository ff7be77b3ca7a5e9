"""What is personal opens where it belongs, with the key of its customer, and not once that is destroyed."""

import asyncio
import os
import stat
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import psycopg
import pytest
from hypothesis import given
from hypothesis import strategies as st
from psycopg_pool import AsyncConnectionPool

from infra.runtime import NotStarted
from infra.settings import Settings
from infra.signals import Signals
from infra.tenant_keys import TenantKeys, ensure_secret
from infra.vault import Vault, VaultDamaged, Where, contact_of, destroy
from schemas.events.order import Contact
from schemas.personal import Sealed
from schemas.search import search_query, search_words
from schemas.upcasters import in_clear
from tests.examples import a_contact
from tests.vault import TENANTS, unconnected
from tests.waiting import eventually

HERE = contact_of(uuid4())


@dataclass(frozen=True)
class Place:
    dsn: str
    pool: AsyncConnectionPool[Any]
    signals: Signals
    customer_id: UUID = field(default_factory=uuid4)

    def vault(self, tenants: TenantKeys = TENANTS) -> Vault:
        return Vault(self.pool, self.signals, tenants)

    async def sealed(self, where: Where = HERE) -> Sealed:
        return await self.vault().seal(a_contact(), where, "kaffa", self.customer_id)

    async def opened(self, sealed: Sealed | None, where: Where = HERE, vault: Vault | None = None) -> Contact | None:
        (contact,) = await (vault or self.vault()).open(Contact, [(sealed, where)])
        return contact

    def execute(self, statement: str) -> None:
        with psycopg.connect(self.dsn) as connection:
            connection.execute(statement.encode())


@asynccontextmanager
async def a_place(dsn: str) -> AsyncIterator[Place]:
    async with (
        AsyncConnectionPool(dsn, kwargs={"autocommit": True}, open=False) as pool,
        Signals(dsn) as signals,
    ):
        yield Place(dsn, pool, signals)


@pytest.fixture
async def place(database: str) -> AsyncIterator[Place]:
    async with a_place(database) as opened:
        yield opened


@pytest.mark.servers
async def test_what_was_sealed_opens_in_any_process_that_has_the_secret(place: Place) -> None:
    assert await place.opened(await place.sealed()) == a_contact()


@pytest.mark.servers
async def test_the_same_contact_never_looks_the_same(place: Place) -> None:
    assert len({(await place.sealed()).box for _ in range(20)}) == 20


@pytest.mark.servers
@pytest.mark.parametrize("elsewhere", [contact_of(uuid4()), HERE._replace(version=2), HERE._replace(field="note")])
async def test_a_box_that_was_moved_does_not_open(place: Place, elsewhere: Where) -> None:
    assert await place.opened(await place.sealed(), elsewhere) is None


@pytest.mark.servers
async def test_a_box_that_was_changed_does_not_open(place: Place) -> None:
    sealed = await place.sealed()
    changed = sealed.box[:30] + ("A" if sealed.box[30] != "A" else "B") + sealed.box[31:]
    assert await place.opened(sealed.model_copy(update={"box": changed})) is None


@pytest.mark.servers
async def test_a_box_of_one_customer_does_not_open_with_the_key_of_another(place: Place) -> None:
    sealed, theirs = await place.sealed(), await replace(place, customer_id=uuid4()).sealed()
    assert sealed.key_id != theirs.key_id
    assert await place.opened(sealed.model_copy(update={"key_id": theirs.key_id})) is None


@pytest.mark.servers
async def test_what_is_stolen_of_the_database_is_useless_without_the_secret(place: Place) -> None:
    sealed, stranger = await place.sealed(), place.vault(TenantKeys(os.urandom(32)))
    assert await place.opened(sealed, vault=stranger) is None
    with pytest.raises(VaultDamaged):
        await stranger.seal(a_contact(), HERE, "kaffa", place.customer_id)


@pytest.mark.servers
async def test_many_first_orders_at_once_share_one_key(place: Place) -> None:
    vaults = [place.vault() for _ in range(4)]
    asked = (each.seal(a_contact(), HERE, "kaffa", place.customer_id) for each in vaults for _ in range(5))
    assert len({sealed.key_id for sealed in await asyncio.gather(*asked)}) == 1


@pytest.mark.servers
async def test_nothing_opens_once_the_key_is_destroyed_even_where_it_was_known(place: Place) -> None:
    sealed, other = await place.sealed(), place.vault()
    assert await place.opened(sealed, vault=other)
    assert await destroy(place.pool, "kaffa", place.customer_id) == [sealed.key_id]

    async def forgotten() -> bool:
        return await place.opened(sealed, vault=other) is None

    await eventually(forgotten, 5)
    assert await place.opened(sealed) is None
    assert await destroy(place.pool, "kaffa", place.customer_id) == []


@pytest.mark.servers
async def test_a_customer_who_comes_back_gets_another_key(place: Place) -> None:
    erased = await place.sealed()
    vault = place.vault()
    await destroy(place.pool, "kaffa", place.customer_id)

    async def forgotten() -> bool:
        return await place.opened(erased, vault=vault) is None

    await eventually(forgotten, 5)
    new = await vault.seal(a_contact(), HERE, "kaffa", place.customer_id)
    assert new.key_id != erased.key_id
    assert await place.opened(new) == a_contact()
    assert await place.opened(erased) is None


@pytest.mark.servers
async def test_a_key_that_was_put_in_the_place_of_another_does_not_open(place: Place) -> None:
    sealed = await place.sealed()
    place.execute("UPDATE vault_keys SET wrapped = set_byte(wrapped, 3, 255 - get_byte(wrapped, 3))")
    assert await place.opened(sealed) is None


@pytest.mark.servers
async def test_nobody_keeps_the_contact_of_a_sealed_event_in_clear(place: Place) -> None:
    sealed = await place.sealed()
    text = sealed.model_dump_json()
    assert not [value for value in a_contact().model_dump().values() if value and str(value) in text]


async def test_what_was_stored_before_fields_were_sealed_is_still_read() -> None:
    assert await unconnected().open(Contact, [(in_clear(a_contact()), HERE), (None, HERE)]) == [a_contact(), None]


def test_the_secret_is_made_once_and_is_for_its_owner_alone(tmp_path: Path) -> None:
    file = ensure_secret(tmp_path / "keys" / "vault")
    made = file.read_bytes()
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert ensure_secret(file).read_bytes() == made
    assert TenantKeys.of_settings(Settings(vault_file=file)).of("wrap", "kaffa")


@pytest.mark.parametrize("content", [None, b"", b"short", b"!" * 44])
def test_without_a_secret_a_service_says_what_to_set(tmp_path: Path, content: bytes | None) -> None:
    file = tmp_path / "vault"
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(NotStarted, match="ORDERFLOW_VAULT_FILE"):
        TenantKeys.of_settings(Settings(vault_file=file))
    with pytest.raises(NotStarted, match="ORDERFLOW_VAULT_FILE"):
        TenantKeys.of_settings(Settings())


def test_tenants_and_purposes_share_no_key() -> None:
    asked = [(purpose, tenant) for purpose in ("wrap", "search", "fingerprint") for tenant in ("kaffa", "roastery")]
    assert len({TENANTS.of(*each) for each in asked}) == len(asked)


@given(st.text(max_size=40))
def test_a_word_is_found_by_itself_and_by_its_beginnings_but_cannot_be_read(text: str) -> None:
    found = set(TENANTS.blind_words("kaffa", text))
    for word in search_words(text):
        assert TENANTS.blind("kaffa", word) in found
        assert TENANTS.blind("kaffa", word[:3]) in found or len(word) <= 3
        assert TENANTS.blind("roastery", word) not in found
    assert not found & set(search_words(text))
    assert search_query(text, lambda word: TENANTS.blind("kaffa", word)).count("|") == len(search_words(text))
