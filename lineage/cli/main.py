"""The `lineage` command: a table of commands, each imported when it is used.

Exit codes: 0 done; 1 a negative answer (deny, different, tampered) or an error without its own
code; 2 could not decide, or a wrong command line; from 64 on as in sysexits.h: 64 usage or setting,
65 input, 66 unknown name, 69 unavailable here, 70 a fault of the program itself, 74 store or
source, 75 in use, 77 read-only.
"""

from __future__ import annotations

import importlib
import sys
from typing import Any

import click
from typing_extensions import override

from lineage import __version__
from lineage.errors import LineageError

COMMANDS: dict[str, str] = {
    "archive": "lineage.cli.archive:archive",
    "audit": "lineage.cli.audit:audit",
    "backup": "lineage.cli.ledger:backup",
    "check": "lineage.cli.check:check",
    "consume": "lineage.cli.consume:consume",
    "describe": "lineage.cli.describe:describe",
    "dlq": "lineage.cli.dlq:dlq",
    "gate": "lineage.cli.gate:gate",
    "graphql": "lineage.cli.query:graphql",
    "ledger": "lineage.cli.sealing:ledger",
    "migrate": "lineage.cli.migrate:migrate",
    "owners": "lineage.cli.owners:owners",
    "pin": "lineage.cli.pin:pin",
    "ready": "lineage.cli.readiness:ready",
    "rebuild": "lineage.cli.ledger:rebuild",
    "redact": "lineage.cli.redact:redact",
    "redactions": "lineage.cli.redactions:redactions",
    "reproduce": "lineage.cli.reproduce:reproduce",
    "restore": "lineage.cli.restore:restore",
    "run": "lineage.cli.run:run",
    "search": "lineage.cli.search:search",
    "serve": "lineage.cli.serve:serve",
    "show": "lineage.cli.show:show",
    "spool": "lineage.cli.spool:spool",
    "sweep": "lineage.cli.sweep:sweep",
    "vacuum": "lineage.cli.vacuum:vacuum",
    "watch": "lineage.cli.watch:watch",
    "witness": "lineage.cli.witness:witness",
}
"""Name -> ``module:attribute``. Nothing is imported before it is asked for: `lineage run` stands
between a person and their job, so it must start at once."""


class LazyGroup(click.Group):
    """A group that imports a command when it is used and renders our errors."""

    @override
    def list_commands(self, ctx: click.Context) -> list[str]:
        return sorted(COMMANDS)

    @override
    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        place = COMMANDS.get(cmd_name)
        if place is None:
            return None
        module, _, attribute = place.partition(":")
        command: click.Command = getattr(importlib.import_module(module), attribute)
        return command

    @override
    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except LineageError as fault:
            from lineage.cli.context import show_error

            show_error(fault, as_json="--json" in sys.argv)
            ctx.exit(fault.exit_status)
        except (click.ClickException, click.exceptions.Exit, click.Abort):
            raise
        except BrokenPipeError:
            # The reader of our output went away: that is its right.
            sys.stderr.close()
            ctx.exit(0)
        except Exception as fault:  # noqa: BLE001 - the last resort: never a bare traceback
            from lineage.cli.context import show_internal

            show_internal(fault, as_json="--json" in sys.argv)
            ctx.exit(70)


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, "-V", "--version", prog_name="lineage")
def main() -> None:
    """Provenance and metadata for machine learning: capture, ask, reproduce, own."""
