"""Agents: teams, people, services; and the scopes that ownership rules speak of."""

from __future__ import annotations

from lineage.model.claims import StateType
from lineage.model.ids import PERSON, SCOPE, SERVICE, TEAM, parse_id
from lineage.query.graphql.describing import described, field
from lineage.query.graphql.nodes import Node, as_node, node_class

__all__ = ["Person", "Scope", "Service", "Team"]


@described
class Membership:
    """A person in a team."""

    person: Person
    team: Team
    role: str


@node_class(TEAM)
@described
class Team(Node):
    """A group of people who answer for something together."""

    @field
    def name(self) -> str:
        """Its name."""
        return parse_id(self.id).texts[0]

    @field
    def members(self) -> list[Membership]:
        """Who belongs to it at the time asked about."""
        found = self.batch.store.states(
            self.batch.view, types=[StateType.MEMBER_OF], objects=[self.id]
        )
        people = self.batch.other(f"members {self.id}", (state.subject for state in found))
        return [
            Membership(person=_person(as_node(people, s.subject)), team=self, role=s.value)
            for s in found
        ]


@node_class(PERSON)
@described
class Person(Node):
    """A person: an opaque id; name and e-mail are attributes, so that they can be erased."""

    @field
    def teams(self) -> list[Membership]:
        """The teams it belongs to at the time asked about."""
        found = [
            state for state in self.batch.states.get(self.id, ())
            if state.type is StateType.MEMBER_OF
        ]  # fmt: skip
        teams = self.batch.other(
            "teams",
            (
                state.object
                for states in self.batch.states.values()
                for state in states
                if state.type is StateType.MEMBER_OF
            ),
        )
        return [
            Membership(person=self, team=_team(as_node(teams, s.object)), role=s.value)
            for s in found
        ]


@node_class(SERVICE)
@described
class Service(Node):
    """A program that captures or serves."""

    @field
    def namespace(self) -> str:
        """Where the name is."""
        return parse_id(self.id).texts[0]

    @field
    def name(self) -> str:
        """The name within the namespace."""
        return parse_id(self.id).texts[1]


@node_class(SCOPE)
@described
class Scope(Node):
    """All artifacts that a pattern matches: the subject of an ownership rule."""

    @field
    def namespace_pattern(self) -> str:
        """Glob over namespaces."""
        return parse_id(self.id).texts[0]

    @field
    def name_pattern(self) -> str:
        """Glob over names."""
        return parse_id(self.id).texts[1]


def _person(node: Node) -> Person:
    assert isinstance(node, Person)  # noqa: S101 - only people are members
    return node


def _team(node: Node) -> Team:
    assert isinstance(node, Team)  # noqa: S101 - people belong to teams only
    return node
