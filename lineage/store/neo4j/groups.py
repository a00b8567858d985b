"""What one group of artifacts that are one thing holds, in the orders that resolution asks for."""

from __future__ import annotations

from bisect import bisect_left, bisect_right, insort
from collections.abc import Iterator
from dataclasses import dataclass, field

from lineage.model.claims import Method
from lineage.model.ids import artifact_of, number_of_token, run_token, token_of, with_version
from lineage.model.resolution import Version, is_placeholder, version_order

__all__ = ["Claimed", "Group", "Order", "UseKey", "made_of", "order_of"]

UseKey = tuple[str, str, str]
"""(run, artifact, said)."""
Order = tuple[int, int, str]
"""Where a version that was made stands among others."""


@dataclass(slots=True)
class Claimed:
    """What is claimed of a family's artifacts, by entry: visible claims only."""

    versions: dict[str, list[tuple[int, int]]] = field(default_factory=dict)
    """Known versions, each with (event time, entry) of what made it."""
    uses: dict[UseKey, list[tuple[int, Method, int]]] = field(default_factory=dict)
    """Uses without a version: (event time, method, entry)."""
    outputs: dict[str, dict[str, list[tuple[str, int, int]]]] = field(default_factory=dict)
    """By run and version: (number said, event time, entry)."""
    makers: dict[str, set[str]] = field(default_factory=dict)
    uses_of: dict[str, set[UseKey]] = field(default_factory=dict)
    uses_saying: dict[str, set[UseKey]] = field(default_factory=dict)
    outputs_saying: dict[str, set[str]] = field(default_factory=dict)
    numbered: dict[str, set[str]] = field(default_factory=dict)

    # --- what is said

    def know(self, version: str) -> None:
        """A version is known."""
        self.versions.setdefault(version, [])
        number = number_of_token(token_of(version))
        if number:
            self.numbered.setdefault(number, set()).add(version)

    def output(self, run: str, version: str, said: str, at: int, seq: int) -> None:
        """A run made a version that is known."""
        self.versions[version].append((at, seq))
        self.outputs.setdefault(run, {}).setdefault(version, []).append((said, at, seq))
        self.makers.setdefault(version, set()).add(run)
        if said:
            self.outputs_saying.setdefault(said, set()).add(version)

    def use(self, key: UseKey, claims: list[tuple[int, Method, int]]) -> None:
        """All that is claimed of a use."""
        if claims:
            self.uses[key] = claims
            self.uses_of.setdefault(key[0], set()).add(key)
            if key[2]:
                self.uses_saying.setdefault(key[2], set()).add(key)
            return
        self.uses.pop(key, None)
        for uses in (self.uses_of.get(key[0]), self.uses_saying.get(key[2])):
            if uses is not None:
                uses.discard(key)

    def withdraw(self, run: str, version: str, seq: int) -> set[str]:
        """Entry ``seq`` does not say any more that a run made a version; numbers it had said."""
        claims = self.outputs[run][version]
        said = {claim[0] for claim in claims if claim[2] == seq} - {""}
        claims[:] = [claim for claim in claims if claim[2] != seq]
        if not claims:
            del self.outputs[run][version]
            self.makers[version].discard(run)
        for text in said - self._numbers_said(version):
            self.outputs_saying[text].discard(version)
        return said

    def _numbers_said(self, version: str) -> set[str]:
        runs = self.makers.get(version, ())
        return {text for run in runs for text, _, _ in self.outputs[run].get(version, ())}

    def update(self, other: Claimed) -> None:
        """Take in what is claimed of other artifacts."""
        self.versions |= other.versions
        self.uses |= other.uses
        for run, made in other.outputs.items():
            self.outputs.setdefault(run, {}).update(made)
        for mine, theirs in (
            (self.makers, other.makers), (self.outputs_saying, other.outputs_saying),
            (self.numbered, other.numbered),
        ):  # fmt: skip
            for text, versions in theirs.items():
                mine.setdefault(text, set()).update(versions)
        for mine_uses, their_uses in (
            (self.uses_of, other.uses_of), (self.uses_saying, other.uses_saying),
        ):  # fmt: skip
            for text, uses in their_uses.items():
                mine_uses.setdefault(text, set()).update(uses)

    def said_of(self, version: str) -> set[str]:
        """Numbers that a version has or is said to have."""
        number = number_of_token(token_of(version))
        return (self._numbers_said(version) | {number or ""}) - {""}

    def first_output(self, version: str) -> int | None:
        """When a run was first said to have made a version."""
        times = [
            at
            for run in self.makers.get(version, ())
            for _, at, _ in self.outputs[run].get(version, ())
        ]
        return min(times, default=None)


def made_of(claimed: Claimed, version: str) -> int | None:
    """The least event time of what made a version."""
    return min((at for at, _ in claimed.versions.get(version, ())), default=None)


def order_of(claimed: Claimed, version: str) -> Order | None:
    """The place of a version that was made."""
    made = made_of(claimed, version)
    return None if made is None else version_order(Version(version, made))


class Group:
    """Artifacts that are one thing over some stretch of time, and what resolves among them."""

    def __init__(self, members: frozenset[str], claimed: Claimed) -> None:
        self.members = members
        self._claimed = claimed
        self._orders = sorted(
            order for version in claimed.versions
            if artifact_of(version) in members and (order := order_of(claimed, version))
        )  # fmt: skip
        self._uses = sorted(
            (min(at for at, _, _ in claims), key)
            for key, claims in claimed.uses.items() if key[1] in members
        )  # fmt: skip

    # --- kept up to date by the family

    def reorder(self, before: Order | None, after: Order | None) -> None:
        """A version was made, made earlier, or is not known to have been made any more."""
        if before == after:
            return
        if before is not None:
            del self._orders[bisect_left(self._orders, before)]
        if after is not None:
            insort(self._orders, after)

    def reuse(self, key: UseKey, before: int | None, after: int | None) -> None:
        """The least time of a use changed."""
        if before == after:
            return
        if before is not None:
            del self._uses[bisect_left(self._uses, (before, key))]
        if after is not None:
            insort(self._uses, (after, key))

    # --- what a change of a version reaches

    def window(self, order: Order) -> Iterator[UseKey]:
        """Uses that may resolve to a version for being the last before them."""
        at = bisect_right(self._orders, order)
        following = self._orders[at] if at < len(self._orders) else None
        start = bisect_right(self._uses, (order[0], ("\U0010ffff", "", "")))
        for index in range(start, len(self._uses)):
            if following is not None and self._uses[index][0] > following[0]:
                break
            yield self._uses[index][1]
        if following is not None:
            # Runs do not read what they made: theirs may reach further.
            for run in self.own_makers(following[2]):
                yield from self._claimed.uses_of.get(run, ())

    def own_makers(self, version: str) -> set[str]:
        """Runs that may have made a version themselves, also under a placeholder."""
        claimed = self._claimed
        runs = set(claimed.makers.get(version, ()))
        number = number_of_token(token_of(version))
        placeholders = set(claimed.outputs_saying.get(number, ())) if number else set()
        for run in runs:
            token = run_token(run)
            placeholders |= {with_version(member, token) for member in self.members}
        return runs.union(*(claimed.makers.get(p, ()) for p in placeholders))

    # --- resolution: the definition is lineage.model.resolution.resolve

    def resolve(self, key: UseKey, at: int, method: Method) -> tuple[str, Method]:
        """The version a use means and how we know; the artifact where it stays unresolved."""
        run, artifact, said = key
        own = self._own(run)
        if said:
            matches = self._matching(said, own)
            if len({token_of(match) for match in matches}) == 1:
                return min(matches, key=lambda m: (artifact_of(m) != artifact, m)), method
        for index in range(bisect_left(self._orders, (at,)) - 1, -1, -1):
            if self._orders[index][2] not in own:
                return self._orders[index][2], Method.INFERRED
        return artifact, method

    def _matching(self, said: str, own: set[str]) -> list[str]:
        claimed, inside = self._claimed, self.members
        for candidates in (claimed.numbered, claimed.outputs_saying):
            matches = [
                version for version in candidates.get(said, ())
                if artifact_of(version) in inside and version not in own
            ]  # fmt: skip
            if matches:
                return matches
        return []

    def _own(self, run: str) -> set[str]:
        """What a run made itself, and what its placeholders stand for."""
        own = {v for v in self._claimed.outputs.get(run, ()) if artifact_of(v) in self.members}
        for version in list(own):
            if is_placeholder(version):
                twin = self.twin(version)
                if twin is not None:
                    own.add(twin)
        return own

    def twin(self, placeholder: str) -> str | None:
        """The version that a placeholder stands for (``lineage.model.resolution.twins``)."""
        for run in self._claimed.makers.get(placeholder, ()):
            twin = self._twin_by(run, placeholder)
            if twin is not None:
                return twin
        return None

    def _twin_by(self, run: str, placeholder: str) -> str | None:
        claimed = self._claimed
        if run_token(run) != token_of(placeholder):
            return None
        made = claimed.outputs.get(run, {})
        matches = {
            version
            for said, _, _ in made.get(placeholder, ()) if said
            for version in claimed.numbered.get(said, ())
            if artifact_of(version) in self.members and not is_placeholder(version)
        }  # fmt: skip
        if len(matches) == 1:
            return matches.pop()
        concrete = [
            version_order(Version(version, made_of(claimed, version)))
            for version in made if artifact_of(version) in self.members
            and not is_placeholder(version)
        ]  # fmt: skip
        return max(concrete)[2] if concrete else None
