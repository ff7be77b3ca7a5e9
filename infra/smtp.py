"""Hands mail to a mail server."""

from dataclasses import dataclass
from email.message import EmailMessage
from typing import Final

import aiosmtplib

_SECONDS: Final = 10


class MailNotTaken(Exception):  # noqa: N818  # a state of the world
    """The mail server could not be reached or refused the mail. Says nothing about who it was for."""


@dataclass(frozen=True, slots=True)
class Smtp:
    """One connection per mail; STARTTLS where the server offers it."""

    host: str
    port: int

    async def send(self, message: EmailMessage) -> None:
        """Return once the server has taken the mail; raises MailNotTaken."""
        try:
            await aiosmtplib.send(message, hostname=self.host, port=self.port, timeout=_SECONDS)
        except aiosmtplib.SMTPResponseException as error:
            raise MailNotTaken(f"The mail server answered {error.code}") from None
        except (aiosmtplib.SMTPException, OSError) as error:
            raise MailNotTaken(f"The mail server did not take the mail: {type(error).__name__}") from None
