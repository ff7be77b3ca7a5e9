"""A secret in a file, and the keys of tenants that follow from it (HKDF, RFC 5869). No database role can read it."""

import hmac
import os
from base64 import b64decode, b64encode
from functools import lru_cache
from hashlib import blake2b, sha256
from pathlib import Path
from typing import Final, Self

from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from infra.runtime import NotStarted
from infra.secret_files import write_secret
from infra.settings import Settings
from schemas.search import search_words

_BYTES: Final = 32
_FEWEST_LETTERS: Final = 3
_MOST_LETTERS: Final = 20


def ensure_secret(file: Path) -> Path:
    """Make the secret at first, keep it later; readable by its owner alone. Without it no sealed field ever opens."""
    if not file.exists():
        write_secret(file, b64encode(os.urandom(_BYTES)) + b"\n")
    return file


class TenantKeys:
    """What follows from the secret, for one tenant or for all."""

    def __init__(self, secret: bytes) -> None:
        self._secret = secret
        self.of = lru_cache(maxsize=1_024)(self._of)

    @classmethod
    def of_settings(cls, settings: Settings) -> Self:
        """Raises NotStarted when there is no secret, or it is not one."""
        if settings.vault_file is None:
            raise NotStarted("Personal data are sealed with a secret: set ORDERFLOW_VAULT_FILE to its file.")
        try:
            return cls.read(settings.vault_file)
        except OSError as error:
            raise NotStarted(f"The file that ORDERFLOW_VAULT_FILE names cannot be read: {error.strerror}.") from error
        except ValueError as error:
            raise NotStarted(f"The file that ORDERFLOW_VAULT_FILE names must hold {_BYTES} bytes as base64.") from error

    @classmethod
    def read(cls, file: Path) -> Self:
        """Raises OSError, or ValueError when it is not 32 bytes as base64."""
        secret = b64decode(file.read_bytes().strip(), validate=True)
        if len(secret) != _BYTES:
            msg = f"must hold {_BYTES} bytes as base64"
            raise ValueError(msg)
        return cls(secret)

    def _of(self, purpose: str, tenant_id: str) -> bytes:
        info = f"orderflow {purpose} {tenant_id}".encode()
        return HKDF(algorithm=SHA256(), length=_BYTES, salt=None, info=info).derive(self._secret)

    def fingerprint(self, tenant_id: str, asked: bytes) -> bytes:
        """Give what tells whether the same was asked again, and to nobody without the key what it was."""
        return hmac.digest(self.of("fingerprint", tenant_id), asked, sha256)

    def blind(self, tenant_id: str, word: str) -> str:
        """Give what stands for a searchable word in an index. Begins with a capital, which no word has."""
        return f"B{blake2b(word.encode(), key=self.of('search', tenant_id), digest_size=6).hexdigest().upper()}"

    def blind_words(self, tenant_id: str, text: str) -> tuple[str, ...]:
        """Give what stands for the words of a text and for their beginnings of 3 to 20 letters."""
        beginnings = {
            word[:end]
            for word in search_words(text)
            for end in (*range(_FEWEST_LETTERS, min(len(word), _MOST_LETTERS + 1)), len(word))
        }
        return tuple(self.blind(tenant_id, each) for each in sorted(beginnings))
