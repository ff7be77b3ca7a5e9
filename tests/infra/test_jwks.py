import asyncio
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from jwt.algorithms import ECAlgorithm, OKPAlgorithm, RSAAlgorithm
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from infra.http import serve
from infra.issuer import ensure_keys, mint
from infra.jwks import Keys
from infra.runtime import NotStarted
from infra.settings import Settings


def ec_key(key_id: str, curve: ec.EllipticCurve | None = None) -> dict[str, Any]:
    public = ec.generate_private_key(curve or ec.SECP256R1()).public_key()
    return {**ECAlgorithm.to_jwk(public, as_dict=True), "kid": key_id}


class Issuer:
    """A JWK set that can change or fail, and counts how often it is read."""

    def __init__(self, *keys: dict[str, Any]) -> None:
        self.keys = list(keys)
        self.reads = 0
        self.down = False
        self.now = 0.0

    async def fetch(self) -> bytes:
        self.reads += 1
        await asyncio.sleep(0)
        if self.down:
            raise OSError("gone")
        return json.dumps({"keys": self.keys}).encode()

    def clock(self) -> float:
        return self.now


async def test_a_key_is_found_by_its_id() -> None:
    keys = Keys(Issuer(ec_key("a"), ec_key("b")).fetch)
    found = await keys.find("b")
    assert found is not None
    assert found.key_id == "b"


async def test_many_who_ask_at_the_very_first_moment_all_find_the_key() -> None:
    issuer = Issuer(ec_key("a"))
    keys = Keys(issuer.fetch)
    found = await asyncio.gather(*(keys.find("a") for _ in range(50)))
    assert None not in found
    assert issuer.reads == 1


async def test_unknown_ids_make_the_set_be_read_once_a_minute_at_most() -> None:
    issuer = Issuer(ec_key("a"))
    keys = Keys(issuer.fetch, issuer.clock)
    for second in range(119):
        issuer.now = float(second)
        assert await keys.find(f"unknown-{second}") is None
    assert issuer.reads == 2


async def test_a_new_key_is_known_and_a_retired_one_is_not_within_a_minute() -> None:
    issuer = Issuer(ec_key("old"))
    keys = Keys(issuer.fetch, issuer.clock)
    assert await keys.find("old") is not None
    issuer.keys, issuer.now = [ec_key("new")], 60.0
    assert await keys.find("new") is not None
    assert await keys.find("old") is None


async def test_an_issuer_that_is_down_locks_nobody_out() -> None:
    issuer = Issuer(ec_key("a"))
    keys = Keys(issuer.fetch, issuer.clock)
    await keys.find("a")
    issuer.down, issuer.now = True, 60.0
    assert await keys.find("a") is not None


@pytest.mark.parametrize("document", [b"", b"[]", b"{}", b'{"keys": []}', b'{"keys": {}}', b'{"keys": [7]}', b"\xff"])
async def test_what_is_no_key_set_has_no_keys(document: bytes) -> None:
    async def fetch() -> bytes:
        return document

    assert await Keys(fetch).find("a") is None


@pytest.mark.parametrize("key_id", [None, 7, ["a"], {"a": 1}, "", "x" * 257])
async def test_an_id_that_can_be_no_id_finds_nothing(key_id: object) -> None:
    assert await Keys(Issuer(ec_key("a")).fetch).find(key_id) is None


def usable() -> Iterator[dict[str, Any]]:
    yield ec_key("es256")
    yield {**RSAAlgorithm.to_jwk(rsa.generate_private_key(65537, 2048).public_key(), as_dict=True), "kid": "rs256"}
    yield {**OKPAlgorithm.to_jwk(ed25519.Ed25519PrivateKey.generate().public_key(), as_dict=True), "kid": "eddsa"}


def unusable() -> Iterator[dict[str, Any]]:
    yield {"kty": "oct", "k": "c2VjcmV0", "kid": "symmetric"}
    yield {**ec_key("other curve", ec.SECP384R1())}
    yield {**ec_key("for encryption"), "use": "enc"}
    rsa_key = RSAAlgorithm.to_jwk(rsa.generate_private_key(65537, 2048).public_key(), as_dict=True)
    yield {**rsa_key, "alg": "PS256", "kid": "another algorithm"}
    yield {**rsa_key, "alg": "HS256", "kid": "algorithm of another kind of key"}


@pytest.mark.parametrize("key", tuple(usable()), ids=lambda key: str(key["kid"]))
async def test_keys_of_the_three_algorithms_are_used(key: dict[str, Any]) -> None:
    assert await Keys(Issuer(key).fetch).find(key["kid"]) is not None


@pytest.mark.parametrize("key", tuple(unusable()), ids=lambda key: str(key["kid"]))
async def test_every_other_key_is_left_aside(key: dict[str, Any]) -> None:
    assert await Keys(Issuer(key, ec_key("good")).fetch).find(key["kid"]) is None


async def test_keys_come_from_the_issuers_url() -> None:
    key = ec_key("a")

    async def jwks(_request: Request) -> JSONResponse:
        return JSONResponse({"keys": [key]})

    async with serve(Starlette(routes=[Route("/jwks", jwks)]), host="127.0.0.1", port=0) as url:
        assert await Keys.of_settings(Settings(jwks_url=f"{url}/jwks")).find("a") is not None
        assert await Keys.of_settings(Settings(jwks_url=f"{url}/nothing")).find("a") is None


def test_without_a_place_for_keys_nothing_starts() -> None:
    with pytest.raises(NotStarted, match="ORDERFLOW_JWKS_FILE"):
        Keys.of_settings(Settings())


def test_the_development_key_is_readable_by_its_owner_alone_and_kept(tmp_path: Path) -> None:
    jwks = ensure_keys(tmp_path / "data")
    pem = tmp_path / "data" / "signing-key.pem"
    before = pem.read_bytes(), jwks.read_bytes()
    ensure_keys(tmp_path / "data")
    assert pem.stat().st_mode & 0o777 == 0o600
    assert (pem.read_bytes(), jwks.read_bytes()) == before
    assert b"PRIVATE" not in jwks.read_bytes()
    assert "d" not in json.loads(jwks.read_text())["keys"][0]


def test_no_token_can_be_minted_before_there_is_a_key(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        mint(tmp_path, Settings(), tenant_id="kaffa", subject="ana")
