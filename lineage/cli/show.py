"""`lineage show`: where something comes from, or what came of it, for people."""

from __future__ import annotations

import os
from collections import deque
from typing import Any

import click

from lineage.cli.context import emit, json_option, workspace
from lineage.cli.tree import Item, print_tree
from lineage.query.names import resolve_name
from lineage.query.story import Asked, tell
from lineage.query.views import Times, view_of
from lineage.store.contract import Direction, History

__all__ = ["show"]

_VERBS = {
    ("GENERATED", True): "made by", ("GENERATED", False): "made",
    ("USED", True): "used", ("USED", False): "used by",
    ("DERIVED_FROM", True): "derived from", ("DERIVED_FROM", False): "became",
    ("REVISION_OF", True): "contains", ("REVISION_OF", False): "contained in",
    ("SAME_AS", True): "same as", ("SAME_AS", False): "same as",
}  # fmt: skip
_ORDER = ("GENERATED", "USED", "DERIVED_FROM", "SAME_AS", "REVISION_OF")


@click.command()
@click.argument("name")
@click.option("--as-of", default="", help="How it was at this time (ISO 8601 with a zone).")
@click.option("--known-at", default="", help="What was known by this seq, or by this time.")
@click.option("--depth", type=click.IntRange(0), help="How many steps. Default: all.")
@click.option(
    "--direction",
    type=click.Choice(["up", "down"]),
    default="up",
    show_default=True,
    help="up: where it comes from; down: what came of it.",
)
@click.option(
    "--history",
    type=click.Choice(["contributing", "none", "all"]),
    default="contributing",
    show_default=True,
    help="Of a table version: the commits whose data it holds, none, or all before it.",
)
@click.option("--all-versions", is_flag=True, help="Every version, not only the latest.")
@json_option
def show(
    *,
    name: str,
    as_of: str,
    known_at: str,
    depth: int | None,
    direction: str,
    history: str,
    all_versions: bool,
    as_json: bool,
) -> None:
    """Everything that NAME comes from: runs, data at exact versions, code, owners.

    NAME is an id, model:NAME, table:NAME@VERSION, a path, or the beginning of an id.
    """
    with workspace(read_only=True) as ws:
        view = view_of(ws.store, Times(as_of, known_at), ws.store.head().seq)
        asked = Asked(
            resolve_name(ws.store, name, view, base=os.getcwd()),  # noqa: PTH109 - as typed
            Direction.UPSTREAM if direction == "up" else Direction.DOWNSTREAM,
            depth,
            History[history.upper()],
            all_versions or direction == "down",
        )
        story = tell(ws.store, asked, view)
    emit(story, as_json=as_json, human=lambda: _render(story))


def _render(story: dict[str, Any]) -> None:
    nodes = {node["id"]: node for node in story["nodes"]}
    print_tree(_items(story, nodes))
    versions = story.get("versions")
    if versions and versions > 1 and "@" in story["id"]:
        click.echo(f"\nlatest of {versions} versions; --all-versions shows every one")
    click.echo("")
    for line in _completeness(story["completeness"], nodes):
        click.echo(line)


def _items(story: dict[str, Any], nodes: dict[str, dict[str, Any]]) -> list[Item]:
    """The nodes the story starts from as trees; a node is told once."""
    upward = story["direction"] == "UPSTREAM"
    near, far = ("down", "up") if upward else ("up", "down")
    following: dict[str, list[dict[str, Any]]] = {}
    for edge in story["edges"]:
        following.setdefault(edge[near], []).append(edge)
    told: set[str] = set()
    roots = [node["id"] for node in story["nodes"] if node["depth"] == 0]
    items = [Item(_label(nodes[root]), _details(nodes[root]), node=root) for root in roots]
    todo = deque(items)  # breadth first: a node is told where it is nearest
    while todo:
        item = todo.popleft()
        if item.node in told:
            item.details = [] if not following.get(item.node) else [("", "(told elsewhere)")]
            continue
        told.add(item.node)
        edges = sorted(following.get(item.node, ()), key=lambda e: _place(e, nodes[e[far]]))
        for edge in edges:
            other = nodes[edge[far]]
            if other["id"] in told and edge["type"] == "SAME_AS":
                continue
            verb = _VERBS.get((edge["type"], upward), edge["type"].lower())
            doubt = "" if edge["method"] == "OBSERVED" else f" ({edge['method'].lower()})"
            label = f"{verb}{doubt} {_label(other)}"
            item.children.append(Item(label, _details(other), node=other["id"]))
        todo += item.children
    return items


def _place(edge: dict[str, Any], other: dict[str, Any]) -> tuple[Any, ...]:
    order = _ORDER.index(edge["type"]) if edge["type"] in _ORDER else len(_ORDER)
    # Of a table's commits the latest first; of the inputs, data before code and environment.
    late = "".join(chr(0x10FFFF - ord(c)) for c in other.get("made_at", ""))
    return (order, other["kind"] in ("code", "environment"), late, other["id"])


def _label(node: dict[str, Any]) -> str:
    return f"{node['kind']} {node['name']}  {node['id']}"


def _details(node: dict[str, Any]) -> list[tuple[str, str]]:
    found: list[tuple[str, str]] = []
    if node["kind"] == "run":
        found += _run(node)
    elif "made_at" in node:
        did = f" by {node['operation']}" if node.get("operation") else ""
        found.append(("made", f"{_when(node['made_at'])}{did}"))
    if node.get("incomplete_run"):
        found.append(("warning", f"its run ended in {node['incomplete_run']}"))
    if node.get("pinned"):
        found.append(("pinned", ", ".join(node["pinned"])))
    owner = node.get("owner")
    if owner and (owner["team"] or node["kind"] not in ("file", "code", "environment")):
        accepted = "" if owner["status"] == "owned" else f" ({owner['status']})"
        found.append(("owner", f"{owner['team'].removeprefix('team:') or 'nobody'}{accepted}"))
    return found


def _run(node: dict[str, Any]) -> list[tuple[str, str]]:
    ended = f", exit {node['exit_code']}" if "exit_code" in node else ""
    found = [("state", f"{node.get('state', 'unknown')}{ended}")]
    if "command" in node:
        found.append(("command", " ".join(map(str, node["command"]))))
    if "parameters" in node:
        said = node["parameters"]
        pairs = said.items() if isinstance(said, dict) else [("", said)]
        found.append(("parameters", ", ".join(f"{k}={v}" for k, v in pairs)))
    if "user" in node:
        found.append(("user", f"{node['user']['name']}  {node['user']['id']}"))
    if "started_at" in node or "ended_at" in node:
        begin, end = node.get("started_at"), node.get("ended_at")
        found.append(("time", f"{_when(begin)} to {_when(end)}"))
    if "code" in node:
        found.append(("code", _code(node["code"])))
    if "environment" in node:
        found.append(("environment", _environment(node["environment"])))
    if "error" in node:
        found.append(("error", str(node["error"])[:300]))
    return found


def _code(code: Any) -> str:
    if not isinstance(code, dict):
        return str(code)
    parts = [f"git {code['commit'][:12]}" if code.get("commit") else "no commit"]
    if code.get("branch"):
        parts.append(f"on {code['branch']}")
    if diff := code.get("diff"):
        size = f"{diff['size']:,} bytes, sha256 {diff['sha256'][:12]}"
        parts.append(f"with an uncommitted diff of {size}")
    if code.get("untracked"):
        parts.append(f"{'and' if diff else 'with'} untracked source")
    return " ".join(parts)


def _environment(environment: Any) -> str:
    if not isinstance(environment, dict):
        return str(environment)
    words = [
        environment.get("interpreter"),
        environment.get("version"),
        environment.get("platform"),
    ]
    said = " ".join(str(word) for word in words if word)
    return f"{said}  digest {str(environment.get('digest', ''))[:12]}".strip()


def _when(time: str | None) -> str:
    return "?" if time is None else time[:19].replace("T", " ") + "Z"


def _completeness(found: dict[str, Any], nodes: dict[str, dict[str, Any]]) -> list[str]:
    at = f"position {found['position']:,}, recorded {_when(found['known_at'])}"
    if found["as_of"]:
        at += f", as of {_when(found['as_of'])}"
    if found["complete"]:
        return [f"complete: nothing is known to be missing ({at})"]
    lines = [f"incomplete ({at})"]
    lines += [f"  cut by {cut.lower()}: there is more" for cut in found["truncated_by"]]
    for gap in found["gaps"]:
        name = nodes.get(gap["node"], {"name": gap["node"]})["name"]
        detail = gap["facts"].get("detail", "")
        lines.append(f"  gap at {name}: {gap['reason']}{f' ({detail})' if detail else ''}")
    for use in found["unresolved"]:
        name = nodes.get(use["artifact"], {"name": use["artifact"]})["name"]
        run = nodes.get(use["run"], {"name": use["run"]})["name"]
        lines.append(f"  unknown which version of {name} was used by {run}")
    for origin in found["unknown_origins"]:
        lines.append(f"  nobody recorded what made {origin['name']}; {origin['advice']}")
    return lines
