"""Trees of labelled items: rich on a terminal, indented plain text in a pipe."""

from __future__ import annotations

import sys
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:  # rich is slow to import, and not needed in a pipe
    from rich.text import Text
    from rich.tree import Tree

__all__ = ["Item", "print_tree"]

_MOST_ITEMS = 500
_DEEPEST = 40


@dataclass(slots=True)
class Item:
    """One thing: ``label`` has its id after two spaces; ``details`` are (name, value)."""

    label: str
    details: list[tuple[str, str]] = field(default_factory=list)
    children: list[Item] = field(default_factory=list)
    node: str = ""


def print_tree(items: list[Item]) -> None:
    """Print trees, at most so many items and so deep; what is left out is counted."""
    left_out = _prune(items)
    if sys.stdout.isatty():
        _rich(items)
    else:
        _plain(items)
    if left_out:
        click.echo(f"... {left_out:,} more: --depth shows less of it, --json all")


def _prune(items: list[Item]) -> int:
    """Cut what is too deep or too much, breadth first, and count it."""
    kept, left_out = 0, 0
    level, depth = items, 0
    while level:
        following: list[Item] = []
        for item in level:
            kept += len(item.children)
            if depth >= _DEEPEST or kept > _MOST_ITEMS:
                left_out += _count(item.children)
                item.children = []
            following += item.children
        level, depth = following, depth + 1
    return left_out


def _count(items: list[Item]) -> int:
    total, todo = 0, list(items)
    while todo:
        item = todo.pop()
        total += 1
        todo += item.children
    return total


def _plain(items: list[Item], indent: int = 0) -> None:
    for item in items:
        click.echo(f"{'  ' * indent}{item.label}")
        width = max((len(name) for name, _ in item.details), default=0)
        for name, value in item.details:
            click.echo(f"{'  ' * (indent + 2)}{name:<{width}}  {value}".rstrip())
        _plain(item.children, indent + 1)


def _rich(items: list[Item]) -> None:
    from rich.console import Console
    from rich.tree import Tree

    console = Console(highlight=False)
    for item in items:
        tree = Tree(_text(item), guide_style="bright_black")
        _grow(tree, item)
        console.print(tree)


def _grow(tree: Tree, item: Item) -> None:
    for child in item.children:
        _grow(tree.add(_text(child)), child)


def _text(item: Item) -> Text:
    from rich.text import Text

    name, _, node = item.label.partition("  ")
    text = Text(name, style="bold")
    text.append(f"  {node}", style="bright_black")
    width = max((len(word) for word, _ in item.details), default=0)
    for word, value in item.details:
        text.append(f"\n{word:<{width}}  ", style="cyan")
        text.append(value, style="")
    return text
