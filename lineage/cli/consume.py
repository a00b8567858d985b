"""`lineage consume`: record what is in topics of Kafka, as a member of a consumer group."""

from __future__ import annotations

import time
from pathlib import Path

import click

from lineage.capture.kafka.address import Address, parse_address
from lineage.capture.kafka.beginning import Beginning
from lineage.capture.kafka.client import client_config, parse_properties
from lineage.capture.kafka.follow import Consuming
from lineage.capture.kafka.group import Group
from lineage.capture.kafka.hand import Hand
from lineage.capture.offered import AUTO, FORMS
from lineage.cli.consuming import Printer, Recording, Taken, open_intake
from lineage.cli.context import emit, json_option
from lineage.cli.memory import collect_seldom
from lineage.cli.progress import progress
from lineage.cli.stopping import stopped_by_signals
from lineage.errors import ConfigError
from lineage.settings import Settings, load_settings

__all__ = ["consume"]


def _now() -> int:
    return time.time_ns() // 1000


@click.command()
@click.argument("address")
@click.option(
    "--group", default="lineage", show_default=True,
    help="Consumer group: its members share the partitions.",
)  # fmt: skip
@click.option(
    "--format", "form", type=click.Choice(FORMS), default=AUTO, show_default=True,
    help="What the messages are; auto tells by the header `lineage-format`, else by content.",
)  # fmt: skip
@click.option(
    "--from", "begin", type=click.Choice(["earliest", "latest"]), default="earliest",
    show_default=True, help="Where a group begins that has read nothing of a partition.",
)  # fmt: skip
@click.option("--until-end", is_flag=True, help="End when everything there is now is recorded.")
@click.option(
    "--batch", default=500, show_default=True, type=click.IntRange(1, 1000),
    help="Most messages in one transaction.",
)  # fmt: skip
@json_option
def consume(
    *, address: str, group: str, form: str, begin: str, until_end: bool, batch: int, as_json: bool
) -> None:
    """Record the events in the topics of ADDRESS: kafka://host:9092[,host2:9092]/topic[,topic2].

    Offsets are committed once what is before them is recorded; reading it again has no effect. What
    is not understood goes to the dead-letter queue. Ends with status 0 on SIGINT or SIGTERM; with
    69 if no broker or no topic is there (only --until-end; else they are waited for), with 77 if
    the broker does not let us in.
    """
    settings = load_settings()
    where = parse_address(address)
    if not group.strip():
        raise ConfigError("a group needs a name", hint="leave --group out for `lineage`")
    config = _config(settings, where, group)
    with (
        open_intake(settings) as (intake, actor),
        progress(f"recording {','.join(where.topics)}") as tick,
        stopped_by_signals() as stop,
    ):
        printer = Printer(as_json=as_json, lines=not until_end, tick=tick)
        consuming = Consuming(
            Hand(batch), Recording(intake, actor, form, printer.took), printer,
            stop=stop, until_end=until_end,
        )  # fmt: skip
        beginning = Beginning(begin == "latest", _now)
        member = Group(config, where.topics, beginning, consuming, say=printer.say)
        if until_end:
            member.check()
        member.join()
        collect_seldom()
        consuming.run(member)
    _finish(printer.seen, as_json=as_json and until_end, quiet=as_json and not until_end)


def _config(settings: Settings, where: Address, group: str) -> dict[str, str | int | bool]:
    properties: dict[str, str] = {}
    if settings.kafka_config:
        try:
            properties = parse_properties(Path(settings.kafka_config).read_text(encoding="utf-8"))
        except (OSError, UnicodeDecodeError) as fault:
            raise ConfigError(
                f"LINEAGE_KAFKA_CONFIG cannot be read: {settings.kafka_config}",
                hint="name a readable file of name=value lines",
            ) from fault
    return client_config(
        where, group, properties, user=settings.kafka_user, password=settings.kafka_password
    )


def _finish(seen: Taken, *, as_json: bool, quiet: bool) -> None:
    if not quiet:
        emit(seen.as_dict(), as_json=as_json, human=lambda: click.echo(seen.summary()))
