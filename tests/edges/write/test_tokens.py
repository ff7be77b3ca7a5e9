"""Attacks on access tokens. Each is answered with the same 401, which says nothing about what was wrong."""

import base64
import hashlib
import hmac
import json
from collections.abc import Callable
from pathlib import Path
from time import time
from typing import Any, Final

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_private_key

from infra.auth import LEEWAY
from tests.edges.write.shop import COFFEE, Shop

pytestmark = [pytest.mark.servers, pytest.mark.asyncio(loop_scope="module")]

Claims = dict[str, Any]


class Forge:
    """Knows everything that is public, and for the tests of claims also the signing key."""

    def __init__(self, folder: Path, tenant_id: str) -> None:
        self.jwk: dict[str, Any] = json.loads((folder / "jwks.json").read_text())["keys"][0]
        self.pem = (folder / "signing-key.pem").read_bytes()
        self.tenant_id = tenant_id

    @property
    def header(self) -> dict[str, Any]:
        return {"typ": "at+jwt", "kid": self.jwk["kid"]}

    def claims(self, **changed: object) -> Claims:
        now = int(time())
        usual = {
            "iss": "orderflow-dev",
            "aud": "orderflow",
            "iat": now,
            "exp": now + 600,
            "sub": "ana",
            "tenant": self.tenant_id,
            "scope": "catalogue:manage",
        }
        return {name: value for name, value in {**usual, **changed}.items() if value is not LEFT_OUT}

    def signed(self, claims: Claims | None = None, **header: object) -> str:
        return self.signed_raw(json.dumps(claims or self.claims()).encode(), **header)

    def signed_raw(self, payload: bytes, **header: object) -> str:
        merged = {name: value for name, value in {**self.header, **header}.items() if value is not LEFT_OUT}
        key = load_pem_private_key(self.pem, None)
        assert isinstance(key, ec.EllipticCurvePrivateKey)
        return jwt.PyJWS().encode(payload, key, "ES256", headers=merged)

    def unsigned(self, signature: str = "", **header: object) -> str:
        head, body = ({**self.header, **header}, self.claims())
        return f"{_b64(json.dumps(head).encode())}.{_b64(json.dumps(body).encode())}.{signature}"

    def hmac_with(self, secret: bytes) -> str:
        signed = self.unsigned(alg="HS256").rpartition(".")[0]
        return f"{signed}.{_b64(hmac.new(secret, signed.encode(), hashlib.sha256).digest())}"

    def public(self, encoding: Encoding) -> bytes:
        key = load_pem_private_key(self.pem, None)
        return key.public_key().public_bytes(encoding, PublicFormat.SubjectPublicKeyInfo)

    def with_key(self, key: Any, algorithm: str, **header: object) -> str:  # noqa: ANN401  # any private key
        return jwt.encode(self.claims(), key, algorithm, headers={**self.header, **header})


LEFT_OUT: Final = object()


def _b64(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def _flipped(token: str) -> str:
    return token[:-1] + ("A" if token[-1] != "A" else "Q")


def _respelled(token: str) -> str:
    """Give another spelling of the same signature bytes: the last character has bits that decode to nothing."""
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    return token[:-1] + alphabet[alphabet.index(token[-1]) ^ 1]


def _swapped(forge: Forge) -> str:
    head, _, signature = forge.signed().split(".")
    other = _b64(json.dumps(forge.claims(tenant="other")).encode())
    return f"{head}.{other}.{signature}"


FORGED: Final[dict[str, Callable[[Forge], str]]] = {
    "no dots": lambda _: "token",
    "only dots": lambda _: "..",
    "alg none": lambda forge: forge.unsigned(alg="none"),
    "alg None": lambda forge: forge.unsigned(alg="None"),
    "alg nOnE with a signature": lambda forge: forge.unsigned("AAAA", alg="nOnE"),
    "alg empty": lambda forge: forge.unsigned("AAAA", alg=""),
    "alg left out": lambda forge: forge.unsigned("AAAA"),
    "alg a list": lambda forge: forge.unsigned("AAAA", alg=["ES256"]),
    "HS256 with the public PEM": lambda forge: forge.hmac_with(forge.public(Encoding.PEM)),
    "HS256 with the public DER": lambda forge: forge.hmac_with(forge.public(Encoding.DER)),
    "HS256 with the JWK": lambda forge: forge.hmac_with(json.dumps(forge.jwk).encode()),
    "HS256 with nothing": lambda forge: forge.hmac_with(b""),
    "another ES256 key": lambda forge: forge.with_key(ec.generate_private_key(ec.SECP256R1()), "ES256"),
    "an ES384 key": lambda forge: forge.with_key(ec.generate_private_key(ec.SECP384R1()), "ES384"),
    "an RSA key under our key id": lambda forge: forge.with_key(rsa.generate_private_key(65537, 2048), "RS256"),
    "PS256": lambda forge: forge.with_key(rsa.generate_private_key(65537, 2048), "PS256"),
    "an Ed25519 key under our key id": lambda forge: forge.with_key(ed25519.Ed25519PrivateKey.generate(), "EdDSA"),
    "an embedded key": lambda forge: forge.with_key(
        ec.generate_private_key(ec.SECP256R1()), "ES256", jwk={"kty": "EC", "crv": "P-256", "x": "AA", "y": "AA"}
    ),
    "a key at a URL": lambda forge: forge.with_key(
        ec.generate_private_key(ec.SECP256R1()), "ES256", jku="http://127.0.0.1:9/k", x5u="http://127.0.0.1:9/k"
    ),
    "an empty signature": lambda forge: forge.signed().rpartition(".")[0] + ".",
    "no third part": lambda forge: forge.signed().rpartition(".")[0],
    "a fourth part": lambda forge: forge.signed() + ".AAAA",
    "data after the signature": lambda forge: forge.signed() + "!",
    "a space inside": lambda forge: forge.signed().replace(".", ". ", 1),
    "padding": lambda forge: forge.signed() + "==",
    "a signature of zeros": lambda forge: forge.signed().rpartition(".")[0] + "." + _b64(bytes(64)),
    "a flipped signature": lambda forge: _flipped(forge.signed()),
    "a respelled signature": lambda forge: _respelled(forge.signed()),
    "another payload under the signature": _swapped,
    "kid left out": lambda forge: forge.signed(kid=LEFT_OUT),
    "kid unknown": lambda forge: forge.signed(kid="unknown"),
    "kid a path": lambda forge: forge.signed(kid="../../../../etc/passwd"),
    "kid SQL": lambda forge: forge.signed(kid="' OR 1=1 --"),
    "kid a URL": lambda forge: forge.signed(kid="http://127.0.0.1:9/key"),
    "kid of 5 KB": lambda forge: forge.signed(kid="k" * 5_000),
    "crit unknown": lambda forge: forge.signed(crit=["x"], x=1),
    "unencoded payload": lambda forge: forge.signed(b64=False),
    "typ left out": lambda forge: forge.signed(typ=LEFT_OUT),
    "typ of an identity token": lambda forge: forge.signed(typ="JWT"),
    "typ of a refresh token": lambda forge: forge.signed(typ="rt+jwt"),
    "100 KB": lambda forge: forge.signed(forge.claims(filler="x" * 60_000)),
    "9 KB": lambda forge: forge.signed(forge.claims(filler="x" * 6_500)),
    "a payload that is no JSON": lambda forge: forge.signed_raw(b"{"),
    "a payload that is a list": lambda forge: forge.signed_raw(b"[]"),
    "a repeated claim": lambda forge: forge.signed_raw(
        json.dumps(forge.claims())[:-1].encode() + b',"tenant":"other"}'
    ),
    "deep nesting": lambda forge: forge.signed_raw(b'{"a":' + b"[" * 2_000 + b"]" * 2_000 + b"}"),
}

CLAIMS: Final[dict[str, dict[str, object]]] = {
    **{f"{name} left out": {name: LEFT_OUT} for name in ("iss", "aud", "exp", "iat", "sub", "tenant", "scope")},
    **{f"{name} null": {name: None} for name in ("iss", "aud", "exp", "iat", "sub", "tenant", "scope")},
    **{f"{name} a list of numbers": {name: [7]} for name in ("iss", "aud", "exp", "iat", "sub", "tenant", "scope")},
    "exp a string": {"exp": str(int(time()) + 600)},
    "exp a float": {"exp": time() + 600.5},
    "exp true": {"exp": True},
    "exp 10**30": {"exp": 10**30},
    "exp negative": {"exp": -1},
    "exp in the past": {"exp": int(time()) - LEEWAY - 2},
    "iat in the future": {"iat": int(time()) + 3_600},
    "nbf in the future": {"nbf": int(time()) + 3_600},
    "nbf a string": {"nbf": "0"},
    "iss with a suffix": {"iss": "orderflow-dev.example"},
    "iss a prefix": {"iss": "orderflow"},
    "aud of another": {"aud": "other"},
    "aud a list of others": {"aud": ["other", "another"]},
    "aud empty": {"aud": []},
    "aud containing ours as a part": {"aud": "orderflow-other"},
    "sub empty": {"sub": ""},
    "sub with a line break": {"sub": "ana\n"},
    "sub with NUL": {"sub": "ana\0"},
    "sub of 200 characters": {"sub": "a" * 200},
    "tenant empty": {"tenant": ""},
    "tenant in upper case": {"tenant": "KAFFA"},
    "tenant with a slash": {"tenant": "a/b"},
    "scope a list": {"scope": ["catalogue:manage"]},
    "customer_id no UUID": {"customer_id": "me"},
    "customer_id a number": {"customer_id": 7},
}


async def attempt(shop: Shop, *authorization: str, path: str = "/v1/products") -> Any:  # noqa: ANN401  # an answer
    headers = [("authorization", each) for each in authorization] + [("idempotency-key", "attempt")]
    return await shop.client.post(path, json=COFFEE, headers=headers)


@pytest.fixture
def forge(shop: Shop, keys: Path) -> Forge:
    return Forge(keys, shop.tenant_id)


async def test_a_token_that_is_as_it_should_be_is_taken(shop: Shop, forge: Forge) -> None:
    assert (await attempt(shop, f"Bearer {forge.signed()}")).status_code == 201


@pytest.mark.parametrize("name", FORGED)
async def test_a_forged_token_is_refused(shop: Shop, forge: Forge, name: str) -> None:
    await _is_refused(shop, FORGED[name](forge))


@pytest.mark.parametrize("name", CLAIMS)
async def test_a_signed_token_with_wrong_claims_is_refused(shop: Shop, forge: Forge, name: str) -> None:
    await _is_refused(shop, forge.signed(forge.claims(**CLAIMS[name])))


async def _is_refused(shop: Shop, token: str) -> None:
    refused = await attempt(shop, f"Bearer {token}")
    problem = refused.json()
    assert refused.status_code == 401
    assert refused.headers["www-authenticate"].startswith("Bearer ")
    assert refused.headers["content-type"] == "application/problem+json"
    assert (problem["type"], problem["detail"]) == ("/problems/unauthenticated", "A valid access token is needed.")
    assert await shop.events() == []


@pytest.mark.parametrize("given", [(), ("",), ("Bearer",), ("Basic YTpi",), ("Token x",), ("bearer x y",)])
async def test_a_request_without_one_bearer_token_is_refused(shop: Shop, given: tuple[str, ...]) -> None:
    assert (await attempt(shop, *given)).status_code == 401


async def test_two_authorization_headers_are_refused_even_when_both_are_good(shop: Shop, forge: Forge) -> None:
    good = f"Bearer {forge.signed()}"
    assert (await attempt(shop, good, good)).status_code == 401


async def test_a_token_in_the_query_string_is_refused(shop: Shop, forge: Forge) -> None:
    token = forge.signed()
    alone = await attempt(shop, path=f"/v1/products?access_token={token}")
    beside = await attempt(shop, f"Bearer {token}", path=f"/v1/products?access_token={token}")
    assert (alone.status_code, beside.status_code) == (401, 401)


async def test_a_token_is_taken_until_the_leeway_after_its_end_has_passed(shop: Shop, forge: Forge) -> None:
    token = forge.signed(forge.claims(exp=int(time()) - LEEWAY + 5))
    assert (await attempt(shop, f"Bearer {token}")).status_code == 201


async def test_an_audience_among_others_is_ours(shop: Shop, forge: Forge) -> None:
    token = forge.signed(forge.claims(aud=["other", "orderflow"]))
    assert (await attempt(shop, f"Bearer {token}")).status_code == 201


async def test_a_token_without_the_scope_is_forbidden_and_told_which_one_it_needs(shop: Shop, forge: Forge) -> None:
    token = forge.signed(forge.claims(scope="orders:write catalogue:managed"))
    refused = await attempt(shop, f"Bearer {token}")
    assert (refused.status_code, refused.json()["type"]) == (403, "/problems/forbidden")
    assert 'scope="catalogue:manage"' in refused.headers["www-authenticate"]
    assert await shop.events() == []


async def test_the_body_is_not_even_read_without_a_token(shop: Shop) -> None:
    refused = await shop.client.post("/v1/products", content=b"{not json", headers={"content-type": "text/plain"})
    assert refused.status_code == 401


@pytest.mark.parametrize(
    ("path", "scope"),
    [
        ("/v1/products", "catalogue:manage"),
        ("/v1/products/COFFEE/price", "catalogue:manage"),
        ("/v1/products/COFFEE/retirement", "catalogue:manage"),
        ("/v1/stock/COFFEE/receipts", "stock:manage"),
        ("/v1/stock/COFFEE/adjustments", "stock:manage"),
        ("/v1/orders", "orders:write"),
        ("/v1/orders/01981d3c-7cf8-7a10-8d4c-6f9619ff8b86/cancellation", "orders:write orders:manage"),
        ("/v1/orders/01981d3c-7cf8-7a10-8d4c-6f9619ff8b86/shipments", "orders:manage"),
        (
            "/v1/orders/01981d3c-7cf8-7a10-8d4c-6f9619ff8b86/shipments/01981d3c-7cf8-7a10-8d4c-6f9619ff8b86/delivery",
            "orders:manage",
        ),
        ("/v1/orders/01981d3c-7cf8-7a10-8d4c-6f9619ff8b86/refunds", "payments:refund"),
    ],
)
async def test_every_command_needs_its_scope(shop: Shop, path: str, scope: str) -> None:
    reader = shop.as_("ana", "orders:read", "operations:read")
    refused = await reader.client.post(
        path, json={}, headers={"authorization": f"Bearer {reader.token}", "idempotency-key": "k"}
    )
    assert refused.status_code == 403
    assert f'scope="{scope}"' in refused.headers["www-authenticate"]
