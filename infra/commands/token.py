"""`orderflow token`."""

from pathlib import Path
from typing import Annotated

import typer

from infra.commands.options import ReadyFile
from infra.commands.output import AsJson, write_json


def token(  # noqa: PLR0913  # one parameter an option
    *,
    subject: Annotated[str, typer.Option(help="Who the token stands for.")] = "you",
    scope: Annotated[list[str] | None, typer.Option(help="Repeat it for several; without it, every scope.")] = None,
    tenant: Annotated[str | None, typer.Option(help="Without it, the tenant of the running platform.")] = None,
    ttl: Annotated[int, typer.Option(min=1, max=31_536_000, help="Seconds until it expires.")] = 43_200,
    data: Annotated[
        Path | None, typer.Option(help="Data folder of the platform; without it, of the running one.")
    ] = None,
    ready_file: ReadyFile = None,
    as_json: AsJson = False,
) -> None:
    """Mint a token for a platform on this machine. For development only."""
    from typing import cast, get_args

    from infra.auth import SCOPES, Scope
    from infra.commands.failure import UNREACHABLE, Failure
    from infra.commands.where import NOWHERE, data_of, ready_of
    from infra.issuer import mint
    from infra.local.first_order import TENANT
    from infra.settings import Settings

    settings = Settings()
    folder = data_of(data, ready_file, settings)
    if folder is None:
        raise Failure(NOWHERE, UNREACHABLE)
    wrong = set(scope or ()) - set(get_args(Scope))
    if wrong:
        raise typer.BadParameter(f"{min(wrong)} is no scope. There are: {', '.join(SCOPES)}")
    ready = None if data else ready_of(ready_file, settings)
    tenant_id = tenant or (ready.tenant_id if ready else TENANT)
    scopes = cast("tuple[Scope, ...]", tuple(scope or SCOPES))
    try:
        minted = mint(
            folder / "keys", settings, tenant_id=tenant_id, subject=subject, scopes=scopes, lifetime_seconds=ttl
        )
    except FileNotFoundError as missing:
        raise Failure(f"{folder} is not the data folder of a platform: it holds no signing key.") from missing
    if as_json:
        write_json({"token": minted, "tenant_id": tenant_id, "subject": subject, "scopes": scopes, "ttl": ttl})
    else:
        typer.echo(minted)
