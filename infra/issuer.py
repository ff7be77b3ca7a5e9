"""A development issuer: a key pair in the data folder and tokens signed with it. For one's own machine and tests."""

import json
from collections.abc import Iterable
from pathlib import Path
from time import time
from typing import Any, Final
from uuid import UUID

import jwt
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, load_pem_private_key
from jwt.algorithms import ECAlgorithm

from infra.auth import SCOPES, Scope
from infra.secret_files import write_secret
from infra.settings import Settings
from schemas.ids import new_id

_KEY: Final = "signing-key.pem"
_JWKS: Final = "jwks.json"


def ensure_keys(folder: Path) -> Path:
    """Make an ES256 key pair at first, keep it later; gives the path of the JWK set for `Settings.jwks_file`.

    The private key (`signing-key.pem`) is readable by its owner alone. A start that was killed in between is repaired.
    """
    folder.mkdir(parents=True, exist_ok=True)
    key_file = folder / _KEY
    if not key_file.exists():
        key = ec.generate_private_key(ec.SECP256R1())
        pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        write_secret(key_file, pem)
    jwks = folder / _JWKS
    jwks.write_text(json.dumps({"keys": [_public(_private(folder))]}))
    return jwks


def mint(  # noqa: PLR0913  # the claims of a token, all by name
    folder: Path,
    settings: Settings,
    *,
    tenant_id: str,
    subject: str,
    scopes: Iterable[Scope] = SCOPES,
    customer_id: UUID | None = None,
    lifetime_seconds: int = 43_200,
) -> str:
    """Sign an access token with the key of `ensure_keys`; raises FileNotFoundError before that has been called."""
    now = int(time())
    claims: dict[str, Any] = {
        "iss": settings.jwt_issuer,
        "aud": settings.jwt_audience,
        "iat": now,
        "exp": now + lifetime_seconds,
        "jti": str(new_id()),
        "sub": subject,
        "tenant": tenant_id,
        "scope": " ".join(scopes),
    }
    if customer_id is not None:
        claims["customer_id"] = str(customer_id)
    key = _private(folder)
    return jwt.encode(claims, key, "ES256", headers={"typ": "at+jwt", "kid": _public(key)["kid"]})


def _private(folder: Path) -> ec.EllipticCurvePrivateKey:
    key = load_pem_private_key((folder / _KEY).read_bytes(), None)
    if not isinstance(key, ec.EllipticCurvePrivateKey):
        raise TypeError("the signing key must be an EC key")
    return key


def _public(key: ec.EllipticCurvePrivateKey) -> dict[str, Any]:
    jwk = ECAlgorithm.to_jwk(key.public_key(), as_dict=True)
    return {**jwk, "alg": "ES256", "use": "sig", "kid": f"dev-{jwk['x'][:16]}"}
