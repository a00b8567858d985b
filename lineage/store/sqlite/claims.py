"""Claims while entries are appended: written, retracted, replaced; then what follows from them."""

from __future__ import annotations

from collections.abc import Iterable

import apsw

from lineage.model.claims import Claims, EdgeType, EntryRef, Occurrence, StateOp, StateType
from lineage.model.fold import Op
from lineage.model.ids import ARTIFACT, RUN, artifact_of, class_of, token_of
from lineage.store.sqlite.commits import Commits
from lineage.store.sqlite.derivation import OPEN_USE, Derivation
from lineage.store.sqlite.names import Names
from lineage.store.sqlite.rows import Rows
from lineage.store.sqlite.states import Key, States
from lineage.store.sqlite.texts import pack_text

__all__ = ["ClaimWriter"]

_EDGE = "INSERT INTO edge VALUES(?,?,?,?,?,?,?,NULL,?,?,NULL)"
_KIND = "INSERT OR IGNORE INTO kind_said VALUES(?,?)"
_CLAIM = "dn = ? AND type = ? AND up = ? AND rf = ?"


class ClaimWriter:
    """Applies claims. Per entry: ``know``, any of ``add``, ``retract``, then ``settle``."""

    def __init__(self, connection: apsw.Connection, names: Names, rows: Rows) -> None:
        self._connection = connection
        self._names = names
        self._rows = rows
        self._states = States(connection)
        self._commits = Commits(connection, names)
        self._derivation = Derivation(connection, names)
        self._keys: dict[Key, None] = {}
        self._artifacts: dict[int, None] = {}
        self.edges = 0
        """Visible claims that are edges, and (``states``) keys of states with visible ones."""
        self.states = 0

    def begin(self, edges: int, states: int) -> None:
        """A transaction begins, with what is counted so far."""
        self.edges, self.states = edges, states
        self._keys.clear()
        self._artifacts.clear()

    def know(self, claims: Claims, seq: int) -> None:
        """Make every id that an entry mentions known."""
        for urn in self._names.know(claims.nodes(), seq):
            if token_of(urn):
                self._touch(urn)

    def _touch(self, urn: str) -> None:
        self._artifacts[self._names.node(artifact_of(urn))] = None

    # --- one entry's claims

    def add(self, ref: EntryRef, seq: int, claims: Claims, *, dead_from: int | None) -> None:
        """Write what entry ``seq`` says; nothing where it was retracted before it came."""
        self._derivation.begin()
        if dead_from is None or dead_from > seq:
            self._add_edges(seq, claims, dead_from)
            self._add_states(ref, seq, enumerate(claims.states), dead_from)
            self._add_commits(seq, claims, dead_from)

    def _add_commits(self, seq: int, claims: Claims, dead_from: int | None) -> None:
        for n, commit in enumerate(claims.commits):
            self._commits.add(commit, seq, n)
            self._touch(commit.version)
            if dead_from is not None:
                self._commits.retract(commit, seq, dead_from)

    def _add_edges(self, seq: int, claims: Claims, dead_from: int | None) -> None:
        node = self._names.node
        distinct = dict.fromkeys(claims.occurrences)
        for n, claim in enumerate(distinct):
            note = self._names.note(claim.said, claim.detail)
            self._connection.execute(
                _EDGE,
                (
                    node(claim.down), _stored(claim), node(claim.up), seq, n, claim.at,
                    int(claim.method), dead_from, note,
                ),
            )  # fmt: skip
            self._touch_ends(claim)
        if dead_from is None:
            self.edges += len(distinct)

    def _touch_ends(self, claim: Occurrence) -> None:
        if claim.type is EdgeType.GENERATED and token_of(claim.down):
            self._touch(claim.down)
        elif is_open_use(claim):
            self._touch(claim.up)

    def _add_states(
        self,
        ref: EntryRef,
        seq: int,
        numbered: Iterable[tuple[int, StateOp]],
        dead_from: int | None,
    ) -> None:
        for n, claim in numbered:
            key = self._key(claim, ref.source)
            self.states += not self._states.shown(key)
            op = Op(
                claim.at, ref.source, ref.event_id, n, claim.value, claim.since, claim.until,
                claim.method,
            )  # fmt: skip
            self._states.add(key, seq, n, op)
            if dead_from is not None:
                self._states.kill(key, seq, dead_from)
                self.states -= not self._states.shown(key)
            self._touch_state(claim, key)

    def _key(self, claim: StateOp, source: str) -> Key:
        of_source = claim.type is StateType.ATTRIBUTE
        return (
            self._names.node(claim.subject),
            int(claim.type),
            self._names.word(claim.object),
            self._names.word(source) if of_source else 0,
        )

    def _touch_state(self, claim: StateOp, key: Key) -> None:
        self._keys[key] = None
        if claim.type is StateType.SAME_AS and not token_of(claim.subject + claim.object):
            self._touch(claim.subject)
            self._touch(claim.object)
        elif claim.type is StateType.ATTRIBUTE and claim.object == "kind":
            self._rows.add(_KIND, (pack_text(claim.value), claim.subject))

    # --- reaching back

    def retract(self, ref: EntryRef, target: int, claims: Claims, seq: int) -> None:
        """The claims of entry ``target`` are invisible from ``seq`` on."""
        self._rows.flush()
        for claim in dict.fromkeys(claims.occurrences):
            key = (self._names.node(claim.down), _stored(claim), self._names.node(claim.up), target)
            sql = f"UPDATE edge SET rt = ? WHERE {_CLAIM} AND rt IS NULL"
            self._connection.execute(sql, (seq, *key))
            self.edges -= self._connection.changes()
            self._touch_ends(claim)
        for state in claims.states:
            key_of_state = self._key(state, ref.source)
            shown = self._states.shown(key_of_state)
            self._states.kill(key_of_state, target, seq)
            self.states -= shown and not self._states.shown(key_of_state)
            self._touch_state(state, key_of_state)
        for commit in claims.commits:
            self._commits.retract(commit, target, seq)
            self._touch(commit.version)

    def settle(self, seq: int) -> None:
        """Bring states and derived edges to what the claims of entry ``seq`` made of them."""
        self._rows.flush()
        keys, self._keys = self._keys, {}
        artifacts, self._artifacts = self._artifacts, {}
        for key in keys:
            self._states.refold(key, seq)
        if artifacts:
            self._derivation.update(artifacts, seq)

    def replace(
        self,
        ref: EntryRef,
        target: int,
        before: Claims,
        after: Claims,
        *,
        dead_from: int | None,
        now: int,
    ) -> None:
        """Entry ``target`` has always said ``after``: positions it touched are redone.

        What both say alike, usually all but a few attributes, is left as it is.
        """
        self._derivation.begin()
        self._rows.flush()
        visible = dead_from is None or dead_from > target
        if set(before.occurrences) != set(after.occurrences):
            self._drop_edges(before, target, dead_from)
            if visible:
                self._add_edges(target, after, dead_from)
        if before.commits != after.commits:
            for commit in before.commits:
                self._commits.erase(commit, target)
                self._touch(commit.version)
            if visible:
                self._add_commits(target, after, dead_from)
        said, now_said = self._by_key(before, ref), self._by_key(after, ref)
        for key in said.keys() | now_said.keys():
            had, has = said.get(key, []), now_said.get(key, [])
            if [claim for _, claim in had] != [claim for _, claim in has]:
                shown = self._states.shown(key)
                self._states.erase(key, target)
                self.states -= shown and not self._states.shown(key)
                for _, claim in had:
                    self._touch_state(claim, key)
                self._add_states(ref, target, has if visible else [], dead_from)
        self._rewrite(now)

    def _drop_edges(self, claims: Claims, target: int, dead_from: int | None) -> None:
        for claim in claims.occurrences:
            row = (self._names.node(claim.down), _stored(claim), self._names.node(claim.up), target)
            self._connection.execute(f"DELETE FROM edge WHERE {_CLAIM}", row)
            self.edges -= self._connection.changes() if dead_from is None else 0
            self._touch_ends(claim)

    def _by_key(self, claims: Claims, ref: EntryRef) -> dict[Key, list[tuple[int, StateOp]]]:
        by_key: dict[Key, list[tuple[int, StateOp]]] = {}
        for n, claim in enumerate(claims.states):
            by_key.setdefault(self._key(claim, ref.source), []).append((n, claim))
        return by_key

    def _rewrite(self, now: int) -> None:
        self._rows.flush()
        keys, self._keys = self._keys, {}
        artifacts, self._artifacts = self._artifacts, {}
        for key in keys:
            self._states.rewrite(key)
        self._derivation.rewrite(artifacts, now)


def is_open_use(claim: Occurrence) -> bool:
    """A use by a run of an artifact without a version: it shows as what it resolves to."""
    return (
        claim.type is EdgeType.USED
        and class_of(claim.up) == ARTIFACT
        and class_of(claim.down) == RUN
        and not token_of(claim.up)
    )


def _stored(claim: Occurrence) -> int:
    return OPEN_USE if is_open_use(claim) else int(claim.type)
