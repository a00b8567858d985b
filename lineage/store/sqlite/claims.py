"""Claims while entries are appended: written, retracted, replaced; then what follows from them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import apsw

from lineage.model.claims import Claims, EdgeType, EntryRef, Occurrence, StateOp, StateType
from lineage.model.fold import Op
from lineage.model.ids import artifact_of
from lineage.store.sqlite.changes import Changes, VersionChange
from lineage.store.sqlite.commits import Commits
from lineage.store.sqlite.components import OPEN_USE, Components
from lineage.store.sqlite.derivation import Derivation
from lineage.store.sqlite.names import Names
from lineage.store.sqlite.resolution import Resolution
from lineage.store.sqlite.rows import Rows
from lineage.store.sqlite.states import Key, States
from lineage.store.sqlite.texts import pack_text

__all__ = ["ClaimWriter"]

_SAYING = "INSERT OR IGNORE INTO saying VALUES(?,?,?,?,?)"
_EDGE = "INSERT INTO edge VALUES(?,?,?,?,?,?,?,NULL,?,?,NULL)"
_KIND = "INSERT OR IGNORE INTO kind_said VALUES(?,?)"
_CLAIM = "dn = ? AND type = ? AND up = ? AND rf = ?"


class ClaimWriter:
    """Applies claims. Per entry: ``know``, any of ``add``, ``retract``, then ``settle``."""

    def __init__(self, connection: apsw.Connection, names: Names, rows: Rows) -> None:
        self._connection = connection
        self._names = names
        self._rows = rows
        self._states = States(connection, rows)
        self._commits = Commits(connection, names)
        self._components = Components(connection, self._flush)
        self._derivation = Derivation(connection, names, self._components)
        self._resolution = Resolution(connection, names, rows, self._components, self._derivation)
        self._changes = Changes()
        self._rewritten: dict[Key, None] = {}
        self.edges = 0
        """Visible claims that are edges, and (``states``) keys of states with visible ones."""
        self.states = 0

    def begin(self, edges: int, states: int, *, foreign: bool) -> None:
        """A transaction begins, with what is counted so far."""
        self.edges, self.states = edges, states
        if foreign:
            self.clear()
        for part in (self._states, self._commits, self._components, self._resolution):
            part.begin()

    def clear(self) -> None:
        """Forget everything: rolled back, or another process wrote."""
        self._changes = Changes()
        self._rewritten.clear()
        for part in (self._states, self._commits, self._components, self._resolution):
            part.clear()

    def _flush(self) -> None:
        self._names.flush()
        self._rows.flush()

    def finish(self) -> None:
        """The transaction ends: bring states to what is left of them, each once.

        Whoever redacts somebody's thousand runs erases as many operations of one key.
        """
        if self._rewritten:
            self._flush()
            keys, self._rewritten = self._rewritten, {}
            for key in keys:
                self._states.rewrite(key)

    def know(self, urns: Sequence[str], seq: int) -> None:
        """Make every id that an entry mentions known."""
        self._derivation.begin()
        for urn in self._names.know(urns, seq):
            if "@" in urn:
                self._version(urn).new = True

    def _version(self, urn: str) -> VersionChange:
        artifact = self._names.node(artifact_of(urn))
        return self._changes.version(self._names.node(urn), artifact, urn)

    # --- one entry's claims

    def add(self, ref: EntryRef, seq: int, claims: Claims, *, dead_from: int | None) -> None:
        """Write what entry ``seq`` says; nothing where it was retracted before it came."""
        if dead_from is None or dead_from > seq:
            self._add_edges(seq, claims, dead_from)
            self._add_states(ref, seq, enumerate(claims.states), dead_from)
            self._add_commits(seq, claims, dead_from)

    def _add_commits(self, seq: int, claims: Claims, dead_from: int | None) -> None:
        for n, commit in enumerate(claims.commits):
            self._commits.add(commit, seq, n)
            self._version(commit.version).made_at(commit.at)
            if dead_from is not None:
                self._commits.retract(commit, seq, dead_from)

    def _add_edges(self, seq: int, claims: Claims, dead_from: int | None) -> None:
        node = self._names.node
        distinct = dict.fromkeys(claims.occurrences)
        for n, claim in enumerate(distinct):
            kind, up, down = _stored(claim), node(claim.up), node(claim.down)
            note = self._names.note(claim.said, claim.detail)
            row = (down, kind, up, seq, n, claim.at, int(claim.method), dead_from, note)
            self._rows.add(_EDGE, row)
            self._touch_ends(claim, kind, up, down)
            if claim.said:
                self._say(claim, kind, up, down)
        if dead_from is None:
            self.edges += len(distinct)

    def _touch_ends(self, claim: Occurrence, kind: int, up: int, down: int) -> None:
        if kind == OPEN_USE:
            self._changes.use((down, up, claim.said), claim.at, int(claim.method))
        elif kind == EdgeType.GENERATED and "@" in claim.down:
            change = self._version(claim.down)
            change.claims.add((up, claim.said))
            change.made_at(claim.at)

    def _say(self, claim: Occurrence, kind: int, up: int, down: int) -> None:
        if kind == OPEN_USE:
            artifact = up
        elif kind == EdgeType.GENERATED and "@" in claim.down:
            artifact = self._names.node(artifact_of(claim.down))
        else:
            return
        fresh = self._names.new_here(artifact)
        self._components.artifact(artifact, fresh=fresh).said = True
        self._rows.add(_SAYING, (artifact, pack_text(claim.said), kind, down, up))

    def _add_states(
        self,
        ref: EntryRef,
        seq: int,
        numbered: Iterable[tuple[int, StateOp]],
        dead_from: int | None,
    ) -> None:
        for n, claim in numbered:
            key = self._key(claim, ref.source)
            op = Op(
                claim.at, ref.source, ref.event_id, n, claim.value, claim.since, claim.until,
                claim.method,
            )  # fmt: skip
            self.states += self._states.add(key, seq, n, op, fresh=self._names.fresh(key[0]))
            if dead_from is not None:
                self._states.kill(key, seq, dead_from)
                self.states -= not self._states.shown(key)
            self._touch_state(claim)

    def _key(self, claim: StateOp, source: str) -> Key:
        of_source = claim.type is StateType.ATTRIBUTE
        return (
            self._names.node(claim.subject),
            int(claim.type),
            self._names.word(claim.object),
            self._names.word(source) if of_source else 0,
        )

    def _touch_state(self, claim: StateOp) -> None:
        if claim.type is StateType.SAME_AS and "@" not in claim.subject + claim.object:
            self._changes.aliased[self._names.node(claim.subject)] = None
            self._changes.aliased[self._names.node(claim.object)] = None
        elif claim.type is StateType.ATTRIBUTE and claim.object == "kind":
            self._rows.add(_KIND, (pack_text(claim.value), claim.subject))

    # --- reaching back

    def retract(self, ref: EntryRef, target: int, claims: Claims, seq: int) -> None:
        """The claims of entry ``target`` are invisible from ``seq`` on."""
        self._flush()
        self._changes.gone = True
        node = self._names.node
        for claim in dict.fromkeys(claims.occurrences):
            kind, up, down = _stored(claim), node(claim.up), node(claim.down)
            sql = f"UPDATE edge SET rt = ? WHERE {_CLAIM} AND rt IS NULL"
            self._connection.execute(sql, (seq, down, kind, up, target))
            self.edges -= self._connection.changes()
            self._touch_ends(claim, kind, up, down)
        for state in claims.states:
            key = self._key(state, ref.source)
            shown = self._states.shown(key)
            self._states.kill(key, target, seq)
            self.states -= shown and not self._states.shown(key)
            self._touch_state(state)
        for commit in claims.commits:
            self._commits.retract(commit, target, seq)
            self._version(commit.version).made_at(commit.at)
        for change in self._changes.versions.values():
            change.gone = True
        self._resolution.clear()

    def settle(self, seq: int) -> None:
        """Bring states and derived edges to what the claims of entry ``seq`` made of them."""
        self._states.settle(seq)
        if not self._changes:
            return
        changes, self._changes = self._changes, Changes()
        self._resolution.set_made(changes, self._flush)
        if changes.aliased:
            self._flush()
            done = self._components.realias(changes.aliased)
            self._derivation.update(changes.aliased, seq)
            changes = changes.without(done)
        self._resolution.settle(changes, seq, self._flush)

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
        self._flush()
        visible = dead_from is None or dead_from > target
        if set(before.occurrences) != set(after.occurrences):
            self._drop_edges(before, target, dead_from)
            if visible:
                self._add_edges(target, after, dead_from)
        if before.commits != after.commits:
            for commit in before.commits:
                self._commits.erase(commit, target)
                self._version(commit.version).gone = True
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
                    self._touch_state(claim)
                self._add_states(ref, target, has if visible else [], dead_from)
                self._rewritten[key] = None
        self._rewrite(now)

    def _drop_edges(self, claims: Claims, target: int, dead_from: int | None) -> None:
        node = self._names.node
        for claim in claims.occurrences:
            kind, up, down = _stored(claim), node(claim.up), node(claim.down)
            self._connection.execute(f"DELETE FROM edge WHERE {_CLAIM}", (down, kind, up, target))
            self.edges -= self._connection.changes() if dead_from is None else 0
            self._touch_ends(claim, kind, up, down)

    def _by_key(self, claims: Claims, ref: EntryRef) -> dict[Key, list[tuple[int, StateOp]]]:
        by_key: dict[Key, list[tuple[int, StateOp]]] = {}
        for n, claim in enumerate(claims.states):
            by_key.setdefault(self._key(claim, ref.source), []).append((n, claim))
        return by_key

    def _rewrite(self, now: int) -> None:
        self._flush()
        changes, self._changes = self._changes, Changes()
        for key in [key for key in self._rewritten if key[1] == StateType.SAME_AS]:
            del self._rewritten[key]  # derived edges below follow from equivalences
            self._states.rewrite(key)
        for change in changes.versions.values():
            change.gone = True
        self._components.clear()
        self._resolution.clear()
        self._resolution.set_made(changes, self._flush)
        self._derivation.rewrite(changes.artifacts(), now)


def _stored(claim: Occurrence) -> int:
    """The type an edge is stored as: a use by a run of an artifact without version is open."""
    if (
        claim.type is EdgeType.USED
        and "@" not in claim.up
        and claim.up.startswith("artifact:")
        and claim.down.startswith("run:")
    ):
        return OPEN_USE
    return int(claim.type)
