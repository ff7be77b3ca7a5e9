"""What remembering a verified token must not change. The attacks on tokens are in tests/edges/write."""

from pathlib import Path
from time import time
from uuid import UUID

import pytest

from infra.auth import LEEWAY, Auth, Caller
from infra.issuer import ensure_keys, mint
from infra.jwks import Keys
from infra.problems import Problem
from infra.settings import Settings


class Clock:
    def __init__(self) -> None:
        self.passed = 0.0
        self._start = time()

    def __call__(self) -> float:
        return self._start + self.passed


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(jwks_file=ensure_keys(tmp_path))


@pytest.fixture
def auth(settings: Settings, clock: Clock) -> Auth:
    keys = Keys.of_settings(settings)
    return Auth(keys, issuer=settings.jwt_issuer, audience=settings.jwt_audience, now=clock)


async def test_a_remembered_token_ends_when_it_ends(
    auth: Auth, clock: Clock, settings: Settings, tmp_path: Path
) -> None:
    token = mint(tmp_path, settings, tenant_id="kaffa", subject="ana", lifetime_seconds=30)
    await auth.of_token(token)
    clock.passed = 30 + LEEWAY - 2
    await auth.of_token(token)
    clock.passed = 30 + LEEWAY + 1
    with pytest.raises(Problem) as refused:
        await auth.of_token(token)
    assert refused.value.status_code == 401


async def test_a_remembered_token_is_verified_again_after_a_minute(
    auth: Auth, clock: Clock, settings: Settings, tmp_path: Path
) -> None:
    token = mint(tmp_path, settings, tenant_id="kaffa", subject="ana")
    first = await auth.of_token(token)
    assert await auth.of_token(token) is first
    clock.passed = 61
    again = await auth.of_token(token)
    assert again == first
    assert again is not first


async def test_a_token_that_differs_in_one_character_is_not_the_remembered_one(
    auth: Auth, settings: Settings, tmp_path: Path
) -> None:
    token = mint(tmp_path, settings, tenant_id="kaffa", subject="ana")
    await auth.of_token(token)
    with pytest.raises(Problem):
        await auth.of_token(token + "A")


async def test_two_thousand_tokens_are_not_all_remembered(auth: Auth, settings: Settings, tmp_path: Path) -> None:
    first = mint(tmp_path, settings, tenant_id="kaffa", subject="first")
    caller = await auth.of_token(first)
    for number in range(1_100):
        await auth.of_token(mint(tmp_path, settings, tenant_id="kaffa", subject=f"s{number}"))
    assert await auth.of_token(first) is not caller


async def test_a_customer_is_the_one_the_token_names_else_one_made_from_tenant_and_subject(
    auth: Auth, settings: Settings, tmp_path: Path
) -> None:
    async def caller(tenant_id: str, subject: str, customer_id: UUID | None = None) -> Caller:
        return await auth.of_token(
            mint(tmp_path, settings, tenant_id=tenant_id, subject=subject, customer_id=customer_id)
        )

    named = UUID(int=7)
    assert (await caller("kaffa", "ana", named)).customer_id == named
    ana = (await caller("kaffa", "ana")).customer_id
    assert ana == (await caller("kaffa", "ana")).customer_id
    assert len({ana, (await caller("kaffa", "bob")).customer_id, (await caller("other", "ana")).customer_id}) == 3


async def test_a_subject_cannot_be_spelt_so_that_it_is_another_tenants_customer(
    auth: Auth, settings: Settings, tmp_path: Path
) -> None:
    with pytest.raises(Problem):
        await auth.of_token(mint(tmp_path, settings, tenant_id="a", subject="b/c"))
