"""Everything that is known of a run, as the changes that are recorded: plain data, canonical JSON.

The classes of these changes are ``RunStarted`` and ``RunFinished`` (``lineage.model.changes``);
they are not used here, because making them would cost the start of every job a tenth of a second.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from lineage.capture.run.environment import Interpreter, environment_facts
from lineage.capture.run.files import FileFacts
from lineage.capture.run.footprint import shown
from lineage.capture.run.gitstate import GitState, code_facts
from lineage.capture.run.launch import Ended
from lineage.capture.run.parameters import VARIABLES, parameters, variables
from lineage.capture.run.plan import Plan
from lineage.capture.run.scrub import scrub_arguments, scrub_path, scrub_text
from lineage.capture.run.scrub_source import scrub_bytes
from lineage.capture.run.sources import contents, may_keep, pack
from lineage.capture.spool import Item
from lineage.model.canonical import canonical
from lineage.model.ids import file_token

__all__ = ["SOURCE", "Facts", "finished_item", "keep_source", "started_item"]

SOURCE = "run"
"""The source of what ``lineage run`` records; event ids are ``<run id>.started`` and so on."""

LARGEST = 3 << 20
"""Bytes of an entry: services take 4 MiB by default."""
_LONGEST_COMMAND = 256 << 10
_LONGEST_GAP = 4000
_MOST_GAPS = 200


@dataclass(slots=True)
class Facts:
    """What was found out beside and after the job."""

    git: GitState | None = None
    code: dict[str, Any] | None = None
    sources: dict[str, bytes] = field(default_factory=dict)
    """Without git: the script and source beside it that was read, by path below its folder."""
    environments: list[tuple[Interpreter, dict[str, Any]]] = field(default_factory=list)
    files: FileFacts = field(default_factory=FileFacts)
    uses: list[dict[str, Any]] = field(default_factory=list)
    outputs: list[dict[str, Any]] = field(default_factory=list)
    gaps: list[tuple[str, str]] = field(default_factory=list)
    capture: dict[str, Any] = field(default_factory=dict)

    def gap(self, reason: str, detail: str = "") -> None:
        """Say once that something may have been missed."""
        told = reason, detail[:_LONGEST_GAP]
        if told not in self.gaps and len(self.gaps) < _MOST_GAPS:
            self.gaps.append(told)


def _run(plan: Plan) -> dict[str, str]:
    return {"namespace": shown(plan.namespace), "job": shown(plan.job), "run_id": plan.run_id}


def started_item(
    plan: Plan,
    *,
    person: tuple[str, str] | None,
    hardware: dict[str, Any],
    allowed: tuple[str, ...] = (),
) -> Item:
    """``run.started``. ``person`` is an opaque id and a name; ``allowed`` further variables."""
    command = _command(plan)
    body: dict[str, Any] = {
        "kind": "run.started",
        "v": 1,
        "event_at": plan.started_at,
        "run": _run(plan),
        "command": command,
        "cwd": scrub_path(shown(plan.cwd)),
        "host": plan.host,
        "parameters": parameters(command[plan.entry.after :]),
        "variables": variables(
            {shown(name): shown(value) for name, value in plan.environ.items()},
            (*VARIABLES, *allowed),
        ),
        "hardware": hardware,
    }
    if person is not None:
        body["user"] = {"person": person[0], "name": shown(person[1])}
    if plan.parent is not None:
        namespace, job, run_id = plan.parent
        body["parent"] = {"namespace": namespace, "job": job, "run_id": run_id}
    return _item(plan, "started", body)


def _command(plan: Plan) -> list[str]:
    """The command line without secrets, cut where it is longer than anybody would read.

    In that order: a secret that is cut in two has no shape any more.
    """
    words: list[str] = []
    room = _LONGEST_COMMAND
    for word in scrub_arguments([shown(word) for word in plan.command]):
        if room <= 0:
            words.append("...")
            break
        words.append(word[:room])
        room -= len(word)
    return words


def finished_item(plan: Plan, ended: Ended, ended_at: int, facts: Facts) -> Item:
    """``run.finished``."""
    body: dict[str, Any] = {
        "kind": "run.finished",
        "v": 1,
        "event_at": ended_at,
        "run": _run(plan),
        "state": ended.state,
        "started_at": plan.started_at,
        "uses": [_without_secrets(use) for use in facts.uses],
        "outputs": [_without_secrets(output) for output in facts.outputs],
        "gaps": [{"reason": reason, "detail": scrub_text(said)} for reason, said in facts.gaps],
        "capture": facts.capture,
    }
    further = {
        "exit_code": ended.code,
        "signal": ended.signal,
        "code": facts.code,
        "environment": facts.environments[0][1] if facts.environments else None,
    }
    body |= {name: value for name, value in further.items() if value is not None}
    item = _item(plan, "finished", body)
    while len(item.body) > LARGEST and (body["uses"] or body["outputs"]):
        item = _item(plan, "finished", _shortened(body))
    return item


def _shortened(body: dict[str, Any]) -> dict[str, Any]:
    """Without the data files of tables; when they are gone already, without half of the inputs.

    A service takes no larger entry, and a record without details is better than none.
    """
    details = [use for use in body["uses"] if use.get("files") or use.get("candidates")]
    for use in details:
        use.pop("files", None)
        use.pop("candidates", None)
    if not details:
        for name in ("uses", "outputs"):
            body[name] = body[name][: len(body[name]) // 2]
    gap = {"reason": "record-shortened", "detail": "it was larger than an entry may be"}
    if gap not in body["gaps"]:
        body["gaps"].append(gap)
    return body


def _without_secrets(thing: dict[str, Any]) -> dict[str, Any]:
    """An input or output by a name that holds no secret: a job may put one into a file's name."""
    clean: dict[str, Any] = {
        name: scrub_path(thing[name])
        for name in ("namespace", "name", "renamed_from")
        if name in thing
    }
    return {**thing, **clean}


def _item(plan: Plan, what: str, body: dict[str, Any]) -> Item:
    event_id = f"{plan.run_id}.{what}"
    return Item(SOURCE, event_id, body["kind"], 1, body["event_at"], canonical(body))


def describe_code(
    plan: Plan, facts: Facts, digest_of: Callable[[str], str], put_blob: Callable[[bytes], str]
) -> None:
    """The code as facts and as an input: the commit, or the script where there is no commit."""
    entry, state = plan.entry, facts.git
    code: dict[str, Any] = code_facts(state, put_blob) if state else {}
    if entry.path:
        inside = state is not None and entry.path.startswith(f"{state.root}/")
        code["entry_point"] = scrub_path(
            shown(entry.path[len(state.root) + 1 :] if state and inside else entry.path)
        )
        code["entry_point_sha256"] = digest_of(entry.path)
        code.setdefault("root", shown(entry.path.rpartition("/")[0]))
    elif entry.inline:
        kept = scrub_bytes(entry.inline.encode("utf-8", "surrogateescape"))
        code["entry_point"] = "-c"
        code["entry_point_sha256"] = hashlib.sha256(kept).hexdigest()
    elif entry.module:
        code["entry_point"] = f"-m {scrub_text(shown(entry.module))}"
    if state is None and facts.sources:
        tar, scrubbed, _ = pack(code["root"], facts.sources)
        code["untracked"] = {
            "sha256": put_blob(tar), "size": len(tar), "media_type": "application/x-tar",
        }  # fmt: skip
        if scrubbed:
            code["scrubbed"] = True
    facts.code = {name: value for name, value in code.items() if value not in ("", None)} or None
    if state is not None and state.token:
        facts.uses.append({
            "namespace": "git",
            "name": shown(state.remote or state.root),
            "artifact_kind": "code",
            "version": state.token,
            "at": plan.started_at,
            "role": "code",
            "hook": "git",
        })  # fmt: skip


def keep_source(plan: Plan, facts: Facts, path: str) -> None:
    """Without git: keep a source file that the script's folder holds, as it is now.

    One that was changed since the run started is not kept: it may not be what ran.
    """
    folder = f"{plan.entry.path.rpartition('/')[0]}/"
    name = path.removeprefix(folder)
    if len(folder) < 2 or name == path or name in facts.sources:
        return
    data = contents(path, plan.started_at * 1000)
    if data is not None and may_keep(path, data):
        facts.sources[name] = data


def describe_environment(
    plan: Plan,
    facts: Facts,
    interpreter: Interpreter,
    installed: list[dict[str, Any]],
    lock: bytes | None,
    put_blob: Callable[[bytes], str],
) -> None:
    """An interpreter as facts and as an input."""
    told = environment_facts(interpreter, installed, lock, put_blob)
    facts.environments.append((interpreter, told))
    facts.uses.append({
        "namespace": "python-env",
        "name": f"{plan.host}:{shown(interpreter.prefix)}",
        "artifact_kind": "environment",
        "version": file_token(told["digest"]),
        "at": plan.started_at,
        "role": "environment",
        "hook": "python",
    })  # fmt: skip
