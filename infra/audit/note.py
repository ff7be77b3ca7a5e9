"""Signs checkpoints of the log, as signed notes (C2SP tlog-checkpoint); the key is a file that no database can read."""

from base64 import b64decode, b64encode
from dataclasses import dataclass
from pathlib import Path
from secrets import token_hex
from typing import Final

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from infra.audit.verify_bundle import ED25519, key_id_of
from infra.secret_files import write_secret

KEY_NAME: Final = "log-key"
"""Of the private key's file; the public one's is beside it, `log-key.pub`."""
_PREFIX: Final = "PRIVATE+KEY+"
_SEED: Final = 32


class WrongKey(Exception):  # noqa: N818 - a state of the world
    """Says in a sentence what is wrong with a key file."""


@dataclass(frozen=True, slots=True)
class LogKey:
    """Who signs, and for which log: one origin, one log, one key."""

    origin: str
    private: Ed25519PrivateKey

    @property
    def public(self) -> str:
        """The line that outsiders are given: origin, id and key."""
        return f"{self.origin}+{self._id.hex()}+{b64encode(ED25519 + self._public).decode()}"

    @property
    def _public(self) -> bytes:
        return self.private.public_key().public_bytes_raw()

    @property
    def _id(self) -> bytes:
        return key_id_of(self.origin, self._public)

    def sign(self, size: int, root: bytes, position: int) -> str:
        """Give the note of `size` events, the last at `position`: the same note whenever it is signed."""
        text = f"{self.origin}\n{size}\n{b64encode(root).decode()}\nposition {position}\n"
        signature = b64encode(self._id + self.private.sign(text.encode())).decode()
        return f"{text}\n\u2014 {self.origin} {signature}\n"


def read_log_key(file: Path) -> LogKey:
    """Read a private key, `PRIVATE+KEY+ORIGIN+ID+BASE64`; raises WrongKey."""
    try:
        text = file.read_text()
    except (OSError, UnicodeDecodeError) as error:
        raise WrongKey(f"The log's key {file} cannot be read.") from error
    origin, _, rest = text.strip().removeprefix(_PREFIX).partition("+")
    key_id, _, encoded = rest.partition("+")
    try:
        decoded = b64decode(encoded, validate=True)
    except ValueError:
        decoded = b""
    kind, seed = decoded[:1], decoded[1:]
    if kind != ED25519 or len(seed) != _SEED or not text.startswith(_PREFIX):
        raise WrongKey(f"{file} does not hold a log's key.")
    key = LogKey(origin, Ed25519PrivateKey.from_private_bytes(seed))
    if key_id != key.public.split("+")[1]:
        raise WrongKey(f"{file} does not hold a log's key.")
    return key


def ensure_log_key(file: Path, origin: str | None = None) -> LogKey:
    """Make a key at first, readable by its owner alone, and keep it later; writes the public one beside it.

    Without an origin the log gets one that no other has. A start that was killed in between is repaired.
    """
    if not file.exists():
        origin = f"orderflow/{token_hex(8)}" if origin is None else origin
        if not origin or any(character in origin for character in "+ \n\t") or not origin.isprintable():
            raise WrongKey("An origin has neither spaces nor plus signs, such as log.example.com/orders.")
        key = LogKey(origin, Ed25519PrivateKey.generate())
        encoded = b64encode(ED25519 + key.private.private_bytes_raw()).decode()
        write_secret(file, f"{_PREFIX}{origin}+{key.public.split('+')[1]}+{encoded}\n".encode())
    key = read_log_key(file)
    public_of(file).write_text(f"{key.public}\n")
    return key


def public_of(file: Path) -> Path:
    """Give where the public key of a private one is written."""
    return file.with_name(f"{file.name}.pub")
