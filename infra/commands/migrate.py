"""`orderflow migrate`."""

import typer

from infra.commands.output import AsJson, wants_json, write_json


def migrate(*, as_json: AsJson = None) -> None:
    """Bring the database that ORDERFLOW_POSTGRES_DSN names to the newest schema."""
    import psycopg

    from infra.commands.failure import Failure
    from infra.commands.where import address
    from infra.migrate import SchemaTooNew
    from infra.migrate import migrate as bring
    from infra.settings import Settings

    try:
        reached = bring(address(Settings().postgres_dsn.get_secret_value()))
    except SchemaTooNew as newer:
        raise Failure(str(newer)) from newer
    except psycopg.OperationalError as unreachable:
        raise Failure(
            "The database cannot be reached. Check ORDERFLOW_POSTGRES_DSN and that its server runs.", 4
        ) from unreachable
    if wants_json(as_json):
        write_json({"schema": reached})
    else:
        typer.echo(f"The database has schema {reached}.")
