"""What stands in for other companies' systems, each as a process of its own with files of its own."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Final

from infra.http import LOOPBACK
from infra.runtime import NotStarted
from infra.settings import Settings

ACQUIRER: Final = "acquirer"
MAIL_CATCHER: Final = "mail-catcher"
OUTSIDE: Final = (ACQUIRER, MAIL_CATCHER)


@asynccontextmanager
async def outside(name: str, settings: Settings) -> AsyncIterator[Mapping[str, str]]:
    """Serve one of OUTSIDE on this machine only; no token guards it."""
    if settings.data_dir is None:
        raise NotStarted("Set ORDERFLOW_DATA_DIR, the folder of its files.")
    settings.data_dir.mkdir(parents=True, exist_ok=True)
    if name == ACQUIRER:
        from infra.local.acquirer import serve_acquirer  # noqa: PLC0415  # one process needs one of them

        file = settings.data_dir / "acquirer.sqlite"
        async with serve_acquirer(file, host=LOOPBACK, port=settings.acquirer_port) as url:
            yield {"acquirer_url": url}
    else:
        from infra.local.mail_catcher import catch_mail  # noqa: PLC0415  # the same

        file = settings.data_dir / "mail.sqlite"
        catching = catch_mail(file, host=LOOPBACK, smtp_port=settings.smtp_port, port=settings.mail_port)
        async with catching as caught:
            yield {"mail_url": caught.url, "smtp_port": str(caught.smtp_port)}
