"""Run a recorded run again: the steps, in their order.

1. look at what stands now, and decide whether it can be run at all (:mod:`preflight`);
2. choose the isolation that this host gives; build the environment anew, where that was asked for;
3. set the scene in scratch: tables as they were, code as it was, contents from the blob store;
4. run the unmodified program;
5. compare what it wrote with what was recorded, and decide (:mod:`verdict`).

A crash at any point leaves a directory of scratch and nothing else.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from pathlib import Path

from lineage.errors import ReproduceError
from lineage.reproduce import environment, isolation
from lineage.reproduce.contents import STDOUT
from lineage.reproduce.facts import RunFacts
from lineage.reproduce.findings import Observed, Preflight
from lineage.reproduce.isolation import IN_PROCESS, Ended
from lineage.reproduce.observe import observe
from lineage.reproduce.outcomes import Comparer
from lineage.reproduce.plan import Scene, make_spec
from lineage.reproduce.preflight import decide
from lineage.reproduce.redirecting import MARK, is_python, make_redirected_spec, redirected_at
from lineage.reproduce.staging import (
    Surroundings,
    fresh_at,
    host,
    prepare,
    scratch_space,
    set_scene,
)
from lineage.reproduce.verdict import Compared, Ending, Outcome, Verdict
from lineage.reproduce.verdict import decide as judge

__all__ = ["Options", "Reproduction", "check", "reproduce"]

_TAIL = 4096
"""Bytes of the program's output that are kept to be shown."""


@dataclass(frozen=True)
class Options:
    """What was asked for. ``timeout`` in seconds; ``tolerance`` as in :mod:`differences`."""

    isolation: str = isolation.AUTO
    network: bool = False
    credentials: bool = False
    rebuild_environment: bool = False
    tolerance: float = 0.0
    timeout: float | None = None
    keep: bool = False


@dataclass(frozen=True)
class Reproduction:
    """What became of it. ``outcome`` is None where the pre-flight already said no."""

    run: RunFacts
    preflight: Preflight
    outcome: Outcome | None = None
    ended: Ended | None = None
    outputs: tuple[Compared, ...] = ()
    stdout: str = ""
    """The end of what the program said."""
    stderr: str = ""
    scratch: Path | None = None
    """Where everything is, if it was to be kept."""

    @property
    def exit_status(self) -> int:
        """0 as it was, 1 different, 2 could not be run or compared."""
        return 2 if self.outcome is None else self.outcome.verdict.exit_status


def check(run: RunFacts, around: Surroundings) -> Preflight:
    """Whether a run can be reproduced. Leaves nothing behind."""
    with scratch_space(around, keep=False) as scratch:
        return decide(run, observe(run, around.blobs, around.find_pin, scratch, around.ours))


def reproduce(run: RunFacts, around: Surroundings, options: Options) -> Reproduction:
    """Run it again and compare.

    Raises ``IsolationError`` where this host cannot isolate it, ``ReproduceError`` where what the
    pre-flight promised could not be done.
    """
    with scratch_space(around, keep=options.keep) as scratch:
        around.tell("looking at what stands now")
        seen = observe(run, around.blobs, around.find_pin, scratch, around.ours)
        preflight = decide(run, seen)
        if not preflight.can_run:
            return Reproduction(run, preflight)
        mode = _mode(run, options, scratch)
        around.tell("setting the scene")
        scene = replace(
            set_scene(run, seen, around, scratch, symbolic=mode == IN_PROCESS),
            network=options.network, credentials=options.credentials,
        )  # fmt: skip
        # After the views, which a vacuum cannot take anything from: it may be minutes.
        interpreter = _interpreter(run, seen, around, options, scratch)
        scene = replace(scene, interpreter=interpreter)
        done = _act(scene, around, options, mode)
        return replace(done, preflight=preflight, scratch=scratch if options.keep else None)


def _mode(run: RunFacts, options: Options, scratch: Path) -> str:
    facts = run.environment
    python = is_python(tuple(run.started.command), facts.interpreter if facts else "")
    return isolation.choose(options.isolation, python=python, scratch=scratch)


def _interpreter(
    run: RunFacts, seen: Observed, around: Surroundings, options: Options, scratch: Path
) -> str:
    """An interpreter built anew, where that was asked for and is needed."""
    facts, found = run.environment, seen.environment
    if not options.rebuild_environment or facts is None or found is None or found.as_it_was:
        return ""
    around.tell("building the environment anew")
    return str(environment.rebuild(facts, found, scratch / "environment"))


def _act(scene: Scene, around: Surroundings, options: Options, mode: str) -> Reproduction:
    machine = host()
    redirected = mode == IN_PROCESS
    spec = make_redirected_spec(scene, machine) if redirected else make_spec(scene, machine)
    brought = prepare(spec, scene)
    logs = scene.scratch / "stdout", scene.scratch / "stderr"
    before = _marks(scene) if redirected else {}
    around.tell("running " + " ".join(spec.argv)[:60])
    ended = isolation.run(mode, spec, stdout=logs[0], stderr=logs[1], timeout=options.timeout)
    around.tell("comparing")

    def written(path: str) -> Path | None:
        if any(one.path == path and one.hook == STDOUT for one in scene.outputs):
            return logs[0]
        return redirected_at(scene, path) if redirected else fresh_at(spec, path, brought)

    comparer = Comparer(
        around.blobs, around.find_pin, scene.scratch,
        written_at=written, views=scene.views.get, tolerance=options.tolerance,
    )  # fmt: skip
    outputs = tuple(comparer.compare(scene.outputs, scene.run.subject))
    outcome = judge(_ending(scene.run, ended), outputs, scene.run.subject)
    if redirected:
        outcome = _trusted(outcome, scene, ended, before)
    return Reproduction(
        scene.run, Preflight("", ()), outcome, ended, outputs, _tail(logs[0]), _tail(logs[1])
    )


def _ending(run: RunFacts, ended: Ended) -> Ending:
    code, signal = run.finished.exit_code, run.finished.signal
    if code is None and signal is None and run.finished.state == "COMPLETE":
        code = 0
    return Ending(
        ended.exit_code, code, ended.signal, signal,
        timed_out=ended.timed_out, not_started=ended.not_started,
    )  # fmt: skip


def _trusted(
    outcome: Outcome, scene: Scene, ended: Ended, before: dict[str, tuple[int, ...]]
) -> Outcome:
    """Without namespaces: whether the job was really led elsewhere, and touched nothing."""
    if not (scene.scratch / MARK).exists() and not ended.not_started:
        return Outcome(
            Verdict.FAILED, "the interpreter did not load the hook that leads it to scratch"
        )
    touched = [path for path, mark in _marks(scene).items() if before.get(path) != mark]
    if touched:
        raise ReproduceError(
            f"the program got past its isolation and changed {touched[0]}",
            hint="it writes with native code that this host cannot confine: bring the files back, "
            "and reproduce it where user namespaces are allowed",
            files=touched,
        )
    return outcome


def _marks(scene: Scene) -> dict[str, tuple[int, ...]]:
    """What a change of a real file would change."""
    things = {content.path for content in (*scene.outputs, *scene.inputs)}
    return {path: (*_mark(path), *_mark(f"{path}/_delta_log")) for path in things}


def _mark(path: str) -> tuple[int, ...]:
    try:
        found = os.stat(path)  # noqa: PTH116  # any bytes
    except OSError:
        return ()
    return found.st_ino, found.st_size, found.st_mtime_ns


def _tail(log: Path) -> str:
    with log.open("rb") as file:
        size = file.seek(0, os.SEEK_END)
        file.seek(max(0, size - _TAIL))
        return file.read().decode("utf-8", "replace")
