"""Types and fields whose descriptions in the schema are their docstrings."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Annotated, Any, TypeVar, dataclass_transform

import strawberry

from lineage.query.graphql.scalars import KnownAt, Time

__all__ = [
    "After",
    "AsOf",
    "First",
    "KnownAtArgument",
    "Name",
    "about",
    "described",
    "field",
    "interface",
]

T = TypeVar("T")


def _said(thing: Any) -> str:
    text = inspect.getdoc(thing) or ""
    return " ".join(text.partition("\n\n")[0].replace("``", "`").split())


def field(resolver: Callable[..., Any]) -> Any:
    """A field of a type: its description is the first paragraph of the resolver's docstring."""
    return strawberry.field(resolver=resolver, description=_said(resolver))


def mutation(resolver: Callable[..., Any]) -> Any:
    """A mutation, described as :func:`field` does."""
    return strawberry.mutation(resolver=resolver, description=_said(resolver))


@dataclass_transform(kw_only_default=True, field_specifiers=(strawberry.field,))
def described(cls: type[T]) -> type[T]:
    """An object type, described by the first paragraph of its docstring."""
    return strawberry.type(cls, description=_said(cls))


@dataclass_transform(kw_only_default=True, field_specifiers=(strawberry.field,))
def interface(cls: type[T]) -> type[T]:
    """An interface, described as :func:`described` does."""
    return strawberry.interface(cls, description=_said(cls))


def about(text: str) -> Any:
    """What an argument means."""
    return strawberry.argument(description=text)


First = Annotated[int, about("How many at most, 1 to 1000.")]
After = Annotated[str | None, about("endCursor of the page before; ask the same question.")]
AsOf = Annotated[
    Time | None, about("How things were at this time. Default: no bound (of owners: now).")
]
KnownAtArgument = Annotated[
    KnownAt | None, about("What was known by this seq or time. Default: all that is recorded.")
]
Name = Annotated[
    strawberry.ID, about("An id, or a name like model:fraud@3, table:features/tx@12 or a path.")
]
