"""Finds the log that an audit is about, its key and its folder of checkpoints."""

from dataclasses import dataclass
from pathlib import Path

from infra.audit.checkpoints import FOLDER
from infra.audit.note import KEY_NAME, public_of
from infra.audit.verify_bundle import Refused, key_of, read_key
from infra.commands.failure import Failure
from infra.commands.platform_database import settings_of
from infra.commands.where import ready_of
from infra.local.ready import all_running
from infra.settings import Settings


@dataclass(frozen=True, slots=True)
class Place:
    settings: Settings
    key_file: Path | None
    """The private key, if it can be where it is looked for."""
    folder: Path | None
    """Of the checkpoints that were handed out."""
    named_key: str | None = None

    @property
    def dsn(self) -> str:
        return self.settings.postgres_dsn.get_secret_value()

    def public_key(self) -> str | None:
        """Give the key to verify with: the named one, else the one beside the private key. Raises Failure."""
        file = public_of(self.key_file) if self.key_file else None
        if self.named_key is None and (file is None or not file.is_file()):
            return None
        try:
            key = key_of(self.named_key) if self.named_key is not None else read_text(file or Path())
            read_key(key)
        except Refused as wrong:
            raise Failure(str(wrong)) from wrong
        return key.strip()


def place_of(dsn: str | None, data: Path | None, key: str | None = None) -> Place:
    """Raises Failure when no log is known."""
    mine = Settings()
    settings = settings_of(dsn, data, mine)
    home = data or mine.data_dir or _home_of(settings)
    key_file = settings.log_key_file or (home / "keys" / KEY_NAME if home else None)
    folder = settings.checkpoint_dir or (home / FOLDER if home else key_file and key_file.with_name(FOLDER))
    return Place(settings, key_file, folder, key)


def _home_of(settings: Settings) -> Path | None:
    """Give the data folder of the platform that runs on the database."""
    dsn = settings.postgres_dsn.get_secret_value()
    told = ready_of(None, settings) if settings.ready_file else None
    running = [*([told] if told else []), *all_running(settings.run_dir)]
    return next((ready.data_dir for ready in running if ready.postgres_dsn == dsn), None)


def is_number(text: str) -> bool:
    return text.isascii() and text.isdigit()


def read_text(file: Path) -> str:
    try:
        return file.read_text()
    except (OSError, UnicodeDecodeError) as error:
        raise Failure(f"{file} cannot be read.") from error
