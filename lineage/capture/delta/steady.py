"""Telling what stays from what is only on its way."""

from __future__ import annotations

from collections.abc import Callable

__all__ = ["Steady"]


class Steady:
    """Whether something has looked the same for ``patience`` seconds of ``clock``."""

    def __init__(self, patience: float, clock: Callable[[], float]) -> None:
        self._patience = patience
        self._clock = clock
        self._seen: tuple[object, float] | None = None

    def for_long(self, look: object) -> bool:
        """Look once more; another look than the last time begins again."""
        if self._seen is None or self._seen[0] != look:
            self._seen = (look, self._clock())
        return self._clock() - self._seen[1] >= self._patience

    def forget(self) -> None:
        """Begin again."""
        self._seen = None
