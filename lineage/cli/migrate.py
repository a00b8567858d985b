"""`lineage migrate`: the store's schema, brought to this version."""

from __future__ import annotations

import click

from lineage.cli.context import emit, json_option
from lineage.settings import load_settings
from lineage.wiring import migrate_store


@click.command()
@click.option("--dry-run", is_flag=True, help="Only say what would be applied.")
@json_option
def migrate(*, dry_run: bool, as_json: bool) -> None:
    """Bring the store's schema to the version of this program.

    A Neo4j of an older version is only changed by this; back it up and stop older processes
    first. A SQLite file is brought up to date whenever it is opened for writing.
    """
    settings = load_settings()

    def tell(name: str) -> None:
        click.echo(f"applying {name}", err=True)

    names = migrate_store(settings, tell, dry_run=dry_run)
    value = {
        "store": settings.store_name,
        "applied": [] if dry_run else names,
        "pending": names if dry_run else [],
    }

    def human() -> None:
        if dry_run and names:
            click.echo(f"{settings.store_name} lacks {', '.join(names)}")
        elif names:
            click.echo(f"{settings.store_name} is up to date now ({', '.join(names)})")
        elif settings.store_kind == "sqlite":
            click.echo(f"{settings.store_name} is brought up to date whenever it is opened")
        else:
            click.echo(f"{settings.store_name} is up to date")

    emit(value, as_json=as_json, human=human)
