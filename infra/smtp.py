"""Hands mail to a mail server."""

from dataclasses import dataclass, field
from email.message import EmailMessage
from typing import Final, Literal

import aiosmtplib

_SECONDS: Final = 10

Tls = Literal["none", "starttls", "tls"]


class MailNotTaken(Exception):  # noqa: N818  # a state of the world
    """The mail server could not be reached or refused the mail. Says nothing about who it was for."""


@dataclass(frozen=True, slots=True)
class Smtp:
    """One connection per mail; without `tls`, STARTTLS where the server offers it, and always before a password."""

    host: str
    port: int
    user: str | None = None
    password: str | None = field(default=None, repr=False)
    tls: Tls | None = None

    async def send(self, message: EmailMessage) -> None:
        """Return once the server has taken the mail; raises MailNotTaken."""
        try:
            await aiosmtplib.send(
                message,
                hostname=self.host,
                port=self.port,
                username=self.user,
                password=self.password,
                use_tls=self.tls == "tls",
                start_tls=self._starttls,
                timeout=_SECONDS,
            )
        except aiosmtplib.SMTPResponseException as error:
            raise MailNotTaken(f"The mail server answered {error.code}") from None
        except (aiosmtplib.SMTPException, OSError) as error:
            raise MailNotTaken(f"The mail server did not take the mail: {type(error).__name__}") from None

    @property
    def _starttls(self) -> bool | None:
        if self.tls is not None:
            return self.tls == "starttls"
        return True if self.user else None
