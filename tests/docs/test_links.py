"""Documents name only what there is: files they link to, commands and options they tell to type."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import click
import pytest
from graphql import GraphQLSchema, build_schema, parse, validate

from lineage.cli.main import main

ROOT = Path(__file__).resolve().parents[2]
DOCUMENTS = [
    *(ROOT / name for name in ("README.md", "CONTRIBUTING.md", "CHANGELOG.md")),
    *sorted((ROOT / "docs").rglob("*.md")),
]
_LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
_HEADING = re.compile(r"^#+ +(.*)$", re.MULTILINE)
_FENCE = re.compile(r"^```(\w*)\n(.*?)^```", re.MULTILINE | re.DOTALL)
_INLINE = re.compile(r"(?<!`)`([^`\n]+(?:\n[^`\n]+)?)`(?!`)")
_COMMAND = re.compile(r"(?:\$ )?(?:[A-Z_]+=\S+ )*lineage ")
_JOINED = re.compile(r" (?:&&|\||;) ")


every_document = pytest.mark.parametrize(
    "document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT))
)


def anchor(heading: str) -> str:
    """As GitHub makes it."""
    return re.sub(r"[^\w\- ]", "", heading.strip().lower()).replace(" ", "-")


def leads_nowhere(document: Path, target: str) -> bool:
    if "://" in target or target.startswith("mailto:"):
        return False
    name, _, part = target.partition("#")
    place = document.parent / name if name else document
    if not place.exists():
        return True
    return bool(part) and part not in map(anchor, _HEADING.findall(place.read_text("utf-8")))


@every_document
def test_every_link_leads_somewhere(document: Path) -> None:
    targets = _LINK.findall(document.read_text("utf-8"))
    assert [target for target in targets if leads_nowhere(document, target)] == []


def told(text: str) -> Iterator[str]:
    """Command lines in a document: indented or fenced blocks, and what stands in backquotes."""
    blocks = [body for language, body in _FENCE.findall(text) if language in {"", "sh", "console"}]
    rest = _FENCE.sub("", text)
    lines = [line for line in rest.splitlines() if line.startswith("    ")]
    lines += [line for block in blocks for line in block.splitlines()]
    for line in lines:
        for part in _JOINED.split(line.strip()):
            if found := _COMMAND.match(part):
                yield part[found.end() :]
    for quoted in _INLINE.findall(rest):
        line = " ".join(quoted.split())
        if line.startswith("lineage "):
            yield _JOINED.split(line)[0].removeprefix("lineage ")


def fault_of(line: str) -> str | None:
    """What is wrong with the words of a command line after `lineage`."""
    words = shlex.split(line, comments=True)
    command: click.Command = main
    while isinstance(command, click.Group) and words and not words[0].startswith("-"):
        found = command.get_command(click.Context(command), name := words.pop(0))
        if found is None:
            return f"no command {name}: {line}"
        command = found
    known = {"-h", "--help", "-"}
    for parameter in command.params:
        known |= {*parameter.opts, *parameter.secondary_opts}
    own = words[: words.index("--")] if "--" in words else words
    odd = [word for word in own if word.startswith("-") and word.partition("=")[0] not in known]
    return f"no option {odd[0]}: {line}" if odd else None


@every_document
def test_every_command_that_is_told_exists_with_its_options(document: Path) -> None:
    faults = map(fault_of, told(document.read_text("utf-8")))
    assert [fault for fault in faults if fault] == []


def test_commands_are_found_in_documents() -> None:
    """The two tests above look at something, and would see what is wrong."""
    found = {line.split()[0] for one in DOCUMENTS for line in told(one.read_text("utf-8"))}
    assert {"run", "show", "check", "reproduce", "pin", "vacuum", "watch", "gate"} <= found
    said = (
        "    X=1 lineage show --nothing\n`lineage\nnothing`\n```sh\ncd x && lineage pin --no\n```\n"
    )
    assert len([line for line in told(said) if fault_of(line)]) == 3
    assert leads_nowhere(ROOT / "README.md", "docs/nothing.md")
    assert leads_nowhere(ROOT / "README.md", "docs/tutorial.md#nothing")


@every_document
def test_every_query_that_is_shown_is_one_of_the_schema(document: Path) -> None:
    blocks = _FENCE.findall(document.read_text("utf-8"))
    for query in (body for language, body in blocks if language == "graphql"):
        assert [fault.message for fault in validate(schema(), parse(query))] == [], query


@cache
def schema() -> GraphQLSchema:
    return build_schema((ROOT / "schema/graphql/schema.graphql").read_text("utf-8"))
