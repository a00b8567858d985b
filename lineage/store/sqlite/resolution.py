"""Derived edges of one entry, the short way: most entries change nothing that has to be looked at.

A new run whose inputs resolve to the last versions there are, a new version in order, a claim that
was heard before: these are told from what is remembered. The rest goes to
:mod:`lineage.store.sqlite.effects`.
"""

from __future__ import annotations

from collections.abc import Callable

import apsw

from lineage.model.claims import EdgeType, Method
from lineage.store.sqlite.changes import Changes, UseKey
from lineage.store.sqlite.components import Artifact, Components
from lineage.store.sqlite.derivation import INSERT, OPEN_USE, RESOLVED_USE, Derivation
from lineage.store.sqlite.effects import Effects
from lineage.store.sqlite.facts import Facts
from lineage.store.sqlite.names import Names
from lineage.store.sqlite.rows import Rows

__all__ = ["Resolution"]

_CACHED = 100_000
_SAME_AS = int(EdgeType.SAME_AS)
_USE = int(OPEN_USE)
_INFERRED = int(Method.INFERRED)
Piece = tuple[int, int, int, int]
"""A target over a stretch of valid time: (target, method, since, until)."""


class Resolution:
    """Brings derived edges to what an entry made of them."""

    def __init__(
        self,
        connection: apsw.Connection,
        names: Names,
        rows: Rows,
        components: Components,
        derivation: Derivation,
    ) -> None:
        self._names = names
        self._rows = rows
        self._components = components
        self._derivation = derivation
        self._facts = Facts(connection)
        self._effects = Effects(names, components, derivation, self._facts)
        self._uses: dict[UseKey, tuple[int, int]] = {}
        """Time and method of uses as claimed so far."""
        self._makers: set[tuple[int, int, str]] = set()
        """Claims to have made a version: (version, run, said)."""

    def clear(self) -> None:
        """Forget everything: rolled back, or another process wrote."""
        self._uses.clear()
        self._makers.clear()

    def begin(self) -> None:
        """A transaction begins."""
        if len(self._uses) + len(self._makers) > _CACHED:
            self.clear()

    def forget(self, key: UseKey) -> None:
        """A use was resolved another way."""
        self._uses.pop(key, None)

    def settle(self, changes: Changes, seq: int, flush: Callable[[], None]) -> None:
        """Apply the changes of entry ``seq``. ``flush`` writes what waits, before it is read."""
        slow = [n for n in changes.versions if not self._is_quick(n, changes, seq)]
        uses = [
            key for key, (at, method) in changes.uses.items()
            if not self._resolve_quickly(key, at, method, changes, seq)
        ]  # fmt: skip
        if slow or uses:
            flush()
            self._effects.settle(dict.fromkeys(uses), {n: changes.versions[n] for n in slow}, seq)

    def set_made(self, changes: Changes, flush: Callable[[], None]) -> None:
        """Write when versions were made, as known now."""
        for number, change in changes.versions.items():
            self._artifact(change.artifact)  # remembered from before the change
            if change.gone:
                flush()
                self._names.set_made(number, self._facts.first_made(number))
                self._components.forget(change.artifact)
            elif change.made is not None:
                had = None if change.new else self._names.made(number)
                if had is None or change.made < had:
                    change.moved = True
                    self._names.set_made(number, change.made)
                    self._components.made(change.artifact, number, change.urn, change.made)

    def _artifact(self, number: int) -> Artifact:
        return self._components.artifact(number, fresh=self._names.new_here(number))

    def _is_quick(self, number: int, changes: Changes, seq: int) -> bool:
        """Whether nothing follows from a version's change.

        It says nothing new; or it is new and in order, nobody has said a number of its artifact,
        and its runs are new as well and made nothing else of it.
        """
        change = changes.versions[number]
        if change.gone:
            return False
        if not change.new:
            return not change.moved and all(
                self._was_claimed(number, run, said, seq) for run, said in change.claims
            )
        artifact = self._artifact(change.artifact)
        late = change.made is not None and change.made < artifact.last_use
        if artifact.aliased or artifact.said or late:
            return False
        self._makers.update((number, run, said) for run, said in change.claims)
        return all(self._names.new_here(run) for run in change.runs) and not any(
            other.artifact == change.artifact and change.runs & other.runs
            for n, other in changes.versions.items() if n != number
        )  # fmt: skip

    def _was_claimed(self, version: int, run: int, said: str, seq: int) -> bool:
        """What waits to be written was claimed in this transaction, and so is remembered."""
        key = (version, run, said)
        known = key in self._makers or self._facts.claimed_before(version, run, said, seq)
        self._makers.add(key)
        return known

    def _resolve_quickly(
        self, key: UseKey, at: int, method: int, changes: Changes, seq: int
    ) -> bool:
        """Resolve a first use to the last version of all, where that was made before it."""
        run, used, said = key
        artifact = self._artifact(used)
        artifact.last_use = max(artifact.last_use, at)
        if changes.gone:
            self.forget(key)
            return False
        if not self._names.new_here(run):
            had = self._uses.get(key) or self._facts.use_before(key, seq)
            return had is not None and at >= had[0] and method >= had[1]
        if said or artifact.aliased or changes.made_by(run, used):
            return False
        known, latest = self._components.latest(used)
        if not known or (latest is not None and latest[0][0] >= at):
            return False
        target, how = (used, method) if latest is None else (latest[1], _INFERRED)
        n = self._derivation.next_row()
        row = (run, RESOLVED_USE, target, seq, n, at, how, None, None, used)
        self._rows.add(INSERT, row)
        self._uses[key] = (at, method)
        return True
