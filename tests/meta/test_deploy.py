"""What is given to users for deployment names what there is, at the versions that are tested."""

from __future__ import annotations

import re
import shlex
from dataclasses import fields
from pathlib import Path
from typing import Any

import yaml
from click import Context

from lineage.cli.consume import consume
from lineage.cli.serve import serve
from lineage.settings import Settings

ROOT = Path(__file__).resolve().parents[2]
COMPOSE: dict[str, Any] = yaml.safe_load((ROOT / "deploy/compose.yaml").read_text("utf-8"))
CONTAINERFILE = (ROOT / "deploy/Containerfile").read_text("utf-8")
SETTINGS = {f"LINEAGE_{field.name.upper()}" for field in fields(Settings)}
SECRETS = {f"LINEAGE_{f.name.upper()}_FILE" for f in fields(Settings) if not f.repr}


def _tested(server: str) -> str:
    pom = (ROOT / "tests/servers" / server / "pom.xml").read_text("utf-8")
    versions: list[str] = re.findall(r"<version>([\d.]+)</version>", pom)
    return versions[-1]


def test_every_variable_is_a_setting_and_no_secret_is_written_down() -> None:
    given = COMPOSE["services"]["lineage"]["environment"]
    assert given.keys() <= SETTINGS | SECRETS
    assert set(re.findall(r"\b(LINEAGE_\w+)=", CONTAINERFILE)) <= SETTINGS
    assert {name for name in given if name.removesuffix("_FILE") in SETTINGS} & SECRETS
    assert all(name in SECRETS or "@" in value for name, value in given.items())


def test_servers_are_those_that_the_tests_start() -> None:
    images = {name: service.get("image", "") for name, service in COMPOSE["services"].items()}
    series = ".".join(_tested("neo4j").split(".")[:2])
    assert images["neo4j"] == f"neo4j:{series}-community"
    assert images["kafka"] == f"apache/kafka:{_tested('kafka')}"


def test_what_is_copied_is_there_and_not_ignored() -> None:
    ignored = (ROOT / "deploy/Containerfile.dockerignore").read_text("utf-8").splitlines()
    for line in re.findall(r"^COPY (?!--from)(.+)$", CONTAINERFILE, re.MULTILINE):
        for name in line.split()[:-1]:
            assert (ROOT / name).exists(), name
            assert f"!{name.split('/')[0]}" in ignored


def test_the_command_of_the_image_is_understood() -> None:
    (command,) = re.findall(r"^CMD \[(.*)\]$", CONTAINERFILE, re.MULTILINE)
    words = shlex.split(command.replace(",", " "))
    assert words[0] == "serve"
    serve.parse_args(Context(serve), words[1:])


def test_what_consumes_is_understood_and_holds_no_secret() -> None:
    service = COMPOSE["services"]["consume"]
    name, *words = service["command"]
    assert name == "consume"
    consume.parse_args(Context(consume), list(words))
    broker, topic = words[0].removeprefix("kafka://").split("/")
    assert broker in COMPOSE["services"]["kafka"]["environment"]["KAFKA_ADVERTISED_LISTENERS"]
    assert topic
    assert service["environment"].keys() <= SETTINGS | SECRETS
    assert not service["environment"].keys() & {name.removesuffix("_FILE") for name in SECRETS}
