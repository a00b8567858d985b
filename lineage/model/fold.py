"""Folds: what a state shows. The definitions that every backend obeys.

All functions are pure: they take what is visible at a position and know nothing of positions.
Operations are folded in the order of (event time, source, event id), bytewise; within one entry in
the order the entry says them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from lineage.model.canonical import FOREVER
from lineage.model.claims import Method, StateType

__all__ = ["LAST_VALUE_TYPES", "Interval", "Op", "Shown", "advance", "fold", "value_at"]

TERMINAL = frozenset({"COMPLETE", "FAIL", "ABORT"})
CONTESTED = "CONTESTED"


@dataclass(frozen=True, slots=True, order=True)
class Op:
    """One operation on a state key, orderable into the order of the fold."""

    at: int
    source: str
    event_id: str
    n: int
    value: str = field(compare=False)
    since: int = field(compare=False)
    until: int = field(compare=False)
    method: Method = field(compare=False)


@dataclass(frozen=True, slots=True)
class Interval:
    """A value that held over ``[since, until)``."""

    since: int
    until: int
    value: str
    method: Method


Shown = tuple[str, Method] | None


def value_at(kind: StateType, ops: Sequence[Op], when: int) -> Shown:
    """What a state key shows at ``when``; ``ops`` in the order of the fold. THE definition."""
    if kind is StateType.RUN_STATE:
        return _run_state([op for op in ops if op.since <= when])
    step = _STEPS.get(kind, _last_value)
    shown: Shown = None
    for op in ops:
        if op.since <= when < op.until:
            shown = step(shown, op)
    return shown


def advance(kind: StateType, shown: Shown, op: Op) -> tuple[bool, Shown]:
    """What shows after one more operation, later in the fold and in valid time than all others.

    ``shown`` is what shows to the end of time before it; None for a run's state: there was nothing.
    ``(False, None)`` where that is not enough to tell: then every operation has to be folded.
    """
    if kind is not StateType.RUN_STATE:
        return True, _STEPS.get(kind, _last_value)(shown, op)
    if shown is not None and shown[0] != "RUNNING":
        return False, None
    if op.value in TERMINAL:
        return True, (op.value, op.method)
    if op.value == "ABANDONED":
        return True, ("ABANDONED", Method.INFERRED)
    return True, ("RUNNING", min(op.method, shown[1]) if shown else op.method)


def _last_value(_: Shown, op: Op) -> Shown:
    return None if op.value == "off" else (op.value, op.method)


def _keep_off(_: Shown, op: Op) -> Shown:
    return (op.value, op.method)


def _ownership(shown: Shown, op: Op) -> Shown:
    """Claiming again keeps an acceptance; accepting without a claim in force does nothing."""
    if op.value == "claimed":
        return shown or ("claimed", op.method)
    if op.value == "accepted":
        return shown and ("accepted", op.method)
    return None


def _same_as(shown: Shown, op: Op) -> Shown:
    """An inferred equivalence is only a maybe; it never weakens a stronger one."""
    if op.value == "off":
        return None
    if op.method is not Method.INFERRED:
        return ("on", op.method)
    return shown if shown and shown[0] == "on" else ("maybe", op.method)


_STEPS: Mapping[StateType, Callable[[Shown, Op], Shown]] = {
    StateType.OWNED_BY: _ownership,
    StateType.SAME_AS: _same_as,
    StateType.EXISTS: _keep_off,
    StateType.ATTRIBUTE: _keep_off,
    StateType.GAP: _keep_off,
}

LAST_VALUE_TYPES = frozenset(StateType) - {
    StateType.RUN_STATE, StateType.OWNED_BY, StateType.SAME_AS,
}  # fmt: skip
"""Types whose value at a time is that of the last operation there: they may be folded locally."""


def _run_state(ops: Sequence[Op]) -> Shown:
    """Of the last attempt, the last terminal event; a START after a terminal event opens another.

    A START at the very time of a terminal event belongs to it: fast jobs stamp both alike.
    """
    if not ops:
        return None
    attempt: list[Op] = []
    ended: int | None = None
    for op in ops:
        if op.value == "START" and ended is not None and op.at > ended:
            attempt, ended = [], None
        attempt.append(op)
        if op.value in TERMINAL:
            ended = op.at
    strongest = min(op.method for op in attempt)
    terminals = [op for op in attempt if op.value in TERMINAL]
    if terminals:
        differ = len({op.value for op in terminals}) > 1
        return (CONTESTED if differ else terminals[-1].value, terminals[-1].method)
    if any(op.value == "ABANDONED" for op in attempt):
        return ("ABANDONED", Method.INFERRED)
    return ("RUNNING", strongest)


def fold(kind: StateType, ops: Sequence[Op]) -> list[Interval]:
    """Maximal intervals of what a key shows, in order; ``ops`` in the order of the fold."""
    points = sorted({edge for op in ops for edge in (op.since, op.until) if edge < FOREVER})
    out: list[Interval] = []
    for index, point in enumerate(points):
        shown = value_at(kind, ops, point)
        if shown is None:
            continue
        until = points[index + 1] if index + 1 < len(points) else FOREVER
        value, method = shown
        last = out[-1] if out else None
        if last and last.until == point and (last.value, last.method) == (value, method):
            out[-1] = Interval(last.since, until, value, method)
        else:
            out.append(Interval(point, until, value, method))
    return out
