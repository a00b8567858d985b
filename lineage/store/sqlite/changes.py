"""What one entry changed that derived edges follow from."""

from __future__ import annotations

from dataclasses import dataclass, field

__all__ = ["Changes", "UseKey", "VersionChange"]

UseKey = tuple[int, int, str]
"""An open use: (run, artifact, the number said)."""


@dataclass(slots=True)
class VersionChange:
    """A version that became known, or whose makers changed."""

    artifact: int
    urn: str
    new: bool = False
    """Not known before this entry."""
    claims: set[tuple[int, str]] = field(default_factory=set)
    """Claims to have made it that came or went: the run, and the number it said."""
    made: int | None = None
    """The least event time of claims that came."""
    gone: bool = False
    """Claims went: when it was made has to be looked up again."""
    moved: bool = False
    """When it was made has changed."""

    @property
    def runs(self) -> set[int]:
        """Runs whose claims came or went."""
        return {run for run, _ in self.claims}

    @property
    def said(self) -> set[str]:
        """Numbers that those claims name."""
        return {said for _, said in self.claims if said}

    def made_at(self, at: int) -> None:
        """A claim came that it was made at a time."""
        self.made = at if self.made is None else min(at, self.made)


@dataclass(slots=True)
class Changes:
    """Of one entry, collected while its claims are applied."""

    aliased: dict[int, None] = field(default_factory=dict)
    """Ids whose equivalences may have changed: everything about them is derived again."""
    versions: dict[int, VersionChange] = field(default_factory=dict)
    uses: dict[UseKey, tuple[int, int]] = field(default_factory=dict)
    """Open uses that came or went, with the least time and strongest method that came."""
    gone: bool = False
    """Some claims went."""

    def version(self, number: int, artifact: int, urn: str) -> VersionChange:
        """The change of one version."""
        found = self.versions.get(number)
        if found is None:
            found = self.versions[number] = VersionChange(artifact, urn)
        return found

    def use(self, key: UseKey, at: int, method: int) -> None:
        """An open use came or went."""
        had = self.uses.get(key)
        self.uses[key] = (at, method) if had is None else (min(at, had[0]), min(method, had[1]))

    def artifacts(self) -> dict[int, None]:
        """Every artifact concerned."""
        found = dict(self.aliased)
        found |= dict.fromkeys(change.artifact for change in self.versions.values())
        return found | dict.fromkeys(used for _, used, _ in self.uses)

    def without(self, artifacts: set[int]) -> Changes:
        """What does not concern these artifacts."""
        return Changes(
            {},
            {n: change for n, change in self.versions.items() if change.artifact not in artifacts},
            {key: use for key, use in self.uses.items() if key[1] not in artifacts},
            self.gone,
        )

    def made_by(self, run: int, artifact: int) -> bool:
        """Whether a run made a version of an artifact in this entry."""
        return any(
            change.artifact == artifact and run in change.runs for change in self.versions.values()
        )

    def __bool__(self) -> bool:
        return bool(self.aliased or self.versions or self.uses)
