"""Limits of a query: depth, aliases, cost, tokens. Checked before it is validated or run.

Fragments are measured once each, so that fragments of fragments cannot make measuring itself slow.
``ParserCache`` and ``ValidationCache`` keep what they learn by query text: a limit that depends on
variables (the cost) cannot live in a cached validation rule, so all are measured here.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from graphql import (
    DocumentNode,
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    GraphQLError,
    GraphQLInterfaceType,
    GraphQLList,
    GraphQLNonNull,
    GraphQLObjectType,
    GraphQLSchema,
    InlineFragmentNode,
    IntValueNode,
    ListValueNode,
    OperationDefinitionNode,
    SelectionSetNode,
    VariableNode,
    get_named_type,
    is_leaf_type,
)
from strawberry.extensions import ParserCache, SchemaExtension, ValidationCache
from typing_extensions import override

from lineage.errors import RefusedError

__all__ = ["GuardedParsing", "GuardedValidation", "Limits", "measure"]

MOST_TOKENS = 2_000
MOST_FIRST = 1_000
_VAST = 10**12
UNKNOWN_LENGTH = 5
"""Assumed length of a list that takes no ``first``."""


@dataclass(frozen=True, slots=True)
class Limits:
    """The most that one query may ask for."""

    depth: int = 15
    aliases: int = 30
    cost: int = 10_000
    """Sum over all objects that the answer can have: ``first`` times what is asked of each."""


@dataclass(frozen=True, slots=True)
class Size:
    """What a selection asks for."""

    depth: int = 0
    aliases: int = 0
    cost: int = 0


Typed = GraphQLObjectType | GraphQLInterfaceType


@dataclass
class _Measure:
    schema: GraphQLSchema
    fragments: Mapping[str, FragmentDefinitionNode]
    variables: Mapping[str, Any]
    done: dict[str, Size] = field(default_factory=dict)

    def selections(self, chosen: SelectionSetNode | None, parent: Any) -> Size:
        depth = aliases = cost = 0
        for selection in chosen.selections if chosen else ():
            size = self.selection(selection, parent)
            depth = max(depth, size.depth)
            aliases += size.aliases
            cost += size.cost
        # Fragments of fragments can be counted to astronomical sizes.
        return Size(depth, min(aliases, _VAST), min(cost, _VAST))

    def selection(self, node: Any, parent: Any) -> Size:
        if isinstance(node, FieldNode):
            return self.field(node, parent)
        if isinstance(node, InlineFragmentNode):
            of = node.type_condition
            narrowed = self.schema.get_type(of.name.value) if of else parent
            return self.selections(node.selection_set, narrowed)
        if isinstance(node, FragmentSpreadNode):
            return self.fragment(node.name.value)
        return Size()

    def fragment(self, name: str) -> Size:
        if name not in self.done:
            self.done[name] = Size()  # a cycle: validation refuses it
            definition = self.fragments.get(name)
            if definition is not None:
                of = self.schema.get_type(definition.type_condition.name.value)
                self.done[name] = self.selections(definition.selection_set, of)
        return self.done[name]

    def field(self, node: FieldNode, parent: Any) -> Size:
        known = parent.fields.get(node.name.value) if isinstance(parent, Typed) else None
        alias = 1 if node.alias else 0
        if known is None:  # introspection, whose depth a rule of its own bounds; or a mistake
            inner = self.selections(node.selection_set, None)
            return Size(0, inner.aliases + alias, inner.cost)
        named = get_named_type(known.type)
        inner = self.selections(node.selection_set, named)
        cost = 0 if is_leaf_type(named) else 1 + self.length(node, known) * inner.cost
        return Size(inner.depth + 1, inner.aliases + alias, cost)

    def length(self, node: FieldNode, known: Any) -> int:
        """How many objects a field can give: its ``first``, or its list of ids."""
        given = {argument.name.value: argument.value for argument in node.arguments or ()}
        if "first" in known.args:
            value = self.whole(given.get("first"), known.args["first"].default_value)
            return max(1, min(value, MOST_FIRST))
        if "ids" in known.args:
            return self.count(given.get("ids"))
        return UNKNOWN_LENGTH if _is_list(known.type) and not _paged(node) else 1

    def whole(self, node: Any, default: Any) -> int:
        value = default
        if isinstance(node, IntValueNode):
            value = node.value
        elif isinstance(node, VariableNode):
            value = self.variables.get(node.name.value, default)
        try:
            return int(value)
        except (TypeError, ValueError):
            return MOST_FIRST

    def count(self, node: Any) -> int:
        if isinstance(node, VariableNode):
            value = self.variables.get(node.name.value)
            return len(value) if isinstance(value, list) else 1
        return len(node.values) if isinstance(node, ListValueNode) else 1


def _paged(node: FieldNode) -> bool:
    """Lists inside a page: what holds them counts them with its ``first``."""
    return node.name.value in ("edges", "nodes")


def _is_list(kind: Any) -> bool:
    while isinstance(kind, GraphQLNonNull):
        kind = kind.of_type
    return isinstance(kind, GraphQLList)


def measure(
    schema: GraphQLSchema,
    document: DocumentNode,
    operation: str | None,
    variables: Mapping[str, Any] | None,
) -> Size:
    """The size of the operation that would run (of the largest, where that is not clear)."""
    fragments = {
        d.name.value: d for d in document.definitions if isinstance(d, FragmentDefinitionNode)
    }
    measuring = _Measure(schema, fragments, variables or {})
    sizes = [
        measuring.selections(d.selection_set, schema.get_root_type(d.operation))
        for d in document.definitions
        if isinstance(d, OperationDefinitionNode)
        and (operation is None or (d.name and d.name.value == operation))
    ]
    return Size(
        max((size.depth for size in sizes), default=0),
        sum(size.aliases for size in sizes),
        max((size.cost for size in sizes), default=0),
    )


def _check(size: Size, limits: Limits) -> None:
    for name in ("depth", "aliases", "cost"):
        has, most = getattr(size, name), getattr(limits, name)
        if has > most:
            raise _too_large(f"{name} of the query: {has:,}; the limit is {most:,}", name)


def _too_large(message: str, limit: str) -> RefusedError:
    return RefusedError(
        message, code="query-too-large", limit=limit,
        hint="ask for less with `first`, page with `after`, or split the query",
    )  # fmt: skip


def _operations(document: DocumentNode) -> int:
    return sum(isinstance(d, OperationDefinitionNode) for d in document.definitions)


class GuardedParsing(ParserCache):
    """Parses at most so many tokens, and remembers what it parsed."""

    @override
    def on_operation(self) -> Iterator[None]:
        self.execution_context.parse_options["max_tokens"] = MOST_TOKENS
        yield


class GuardedValidation(ValidationCache):
    """Measures a query before it is validated."""

    limits = Limits()

    @override
    def on_validate(self) -> Iterator[None]:
        context = self.execution_context
        document = context.graphql_document
        if document is not None:
            unnamed = context._provided_operation_name is None  # noqa: SLF001 - what was asked for
            if unnamed and _operations(document) > 1:
                context.pre_execution_errors = [GraphQLError(
                    "several operations and no operationName: say which to run"
                )]  # fmt: skip
                yield
                return
            try:
                size = measure(
                    context.schema._schema,  # noqa: SLF001 - its core, which has no other name
                    document, context.operation_name, context.variables,
                )  # fmt: skip
                _check(size, self.limits)
            except RefusedError as fault:
                context.pre_execution_errors = [GraphQLError(fault.message, original_error=fault)]
                yield
                return
        yield from super().on_validate()


EXTENSIONS: list[type[SchemaExtension]] = [GuardedParsing, GuardedValidation]
