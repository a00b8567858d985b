"""Taking in OpenLineage events: what is refused, what is recorded with a warning.

Valid: recorded. Off-spec but clear (a producer that is no URI, a missing schemaURL, a run id that
is no UUID): recorded with a warning. Parseable but not understandable (no run id, a time without a
zone): refused with a JSON pointer. Facets never refuse an event: one that cannot be read is left to
later interpreters and warned about.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from lineage.errors import RefusedError
from lineage.model.canonical import micros

__all__ = ["EVENT_TYPES", "Checked", "check"]

EVENT_TYPES = frozenset({"START", "RUNNING", "COMPLETE", "ABORT", "FAIL", "OTHER"})
_UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}\Z", re.IGNORECASE)
_MAX_NAME = 65_536


@dataclass(frozen=True, slots=True)
class Checked:
    """An event that can be recorded: its ledger kind, source, event time (us), and warnings."""

    kind: str
    source: str
    event_at: int
    warnings: tuple[str, ...]


def check(event: Any) -> Checked:
    """Decide over one parsed event.

    Raises ``RefusedError``: ``not-an-event``, ``no-event-time``, ``time-without-zone``,
    ``bad-time``, ``leap-second``, ``no-run-id``, ``no-name``, ``bad-type``.
    """
    if not isinstance(event, dict):
        raise RefusedError("an event is a JSON object", code="not-an-event")
    warnings: list[str] = []
    kind = _kind_of(event)
    event_at = _event_time(event)
    if kind == "openlineage.run":
        _check_run(event, warnings)
    if kind != "openlineage.dataset":
        _check_named(event, "job", "/job", required=True)
        for side in ("inputs", "outputs"):
            _check_datasets(event, side, warnings)
    else:
        _check_named(event, "dataset", "/dataset", required=True)
    return Checked(kind, _source_of(event, warnings), event_at, tuple(warnings))


def _kind_of(event: dict[str, Any]) -> str:
    if event.get("run") is not None or "run" in event:
        return "openlineage.run"
    if event.get("dataset") is not None:
        return "openlineage.dataset"
    if event.get("job") is not None:
        if "eventType" in event:
            return "openlineage.run"
        return "openlineage.job"
    raise RefusedError(
        "neither a run, a job nor a dataset",
        code="not-an-event",
        hint="an OpenLineage event has run and job, or job, or dataset",
    )


def _event_time(event: dict[str, Any]) -> int:
    text = event.get("eventTime")
    if text is None:
        raise RefusedError("no event time", code="no-event-time", pointer="/eventTime")
    return micros(text, "/eventTime")


def _check_run(event: dict[str, Any], warnings: list[str]) -> None:
    run = event.get("run")
    if run is not None and not isinstance(run, dict):
        raise _bad_type("/run", "an object")
    run_id = (run or {}).get("runId")
    if run_id is None or run_id == "":
        raise RefusedError(
            "no run id: what happened cannot be told apart from other runs",
            code="no-run-id",
            pointer="/run/runId",
        )
    if not isinstance(run_id, str):
        raise _bad_type("/run/runId", "a string")
    _check_length(run_id, "/run/runId")
    if not _UUID.match(run_id):
        warnings.append("run-id-not-uuid")
    event_type = event.get("eventType")
    if event_type is None:
        warnings.append("no-event-type")
    elif not isinstance(event_type, str):
        raise _bad_type("/eventType", "a string")
    elif event_type.upper() not in EVENT_TYPES:
        warnings.append("unknown-event-type")
    elif event_type not in EVENT_TYPES:
        warnings.append("event-type-not-upper-case")
    _check_facets(run or {}, "/run", warnings)


def _check_named(owner: dict[str, Any], field: str, pointer: str, *, required: bool) -> None:
    thing = owner.get(field)
    if thing is None and not required:
        return
    if not isinstance(thing, dict):
        if thing is None:
            raise RefusedError(f"no {field}", code="no-name", pointer=pointer)
        raise _bad_type(pointer, "an object")
    for part in ("namespace", "name"):
        text = thing.get(part)
        if text is None or text == "":
            raise RefusedError(
                f"{field} without a {part}", code="no-name", pointer=f"{pointer}/{part}"
            )
        if not isinstance(text, str):
            raise _bad_type(f"{pointer}/{part}", "a string")
        _check_length(text, f"{pointer}/{part}")


def _check_datasets(event: dict[str, Any], side: str, warnings: list[str]) -> None:
    datasets = event.get(side)
    if datasets is None:
        return
    if not isinstance(datasets, list):
        raise _bad_type(f"/{side}", "an array")
    for index, dataset in enumerate(datasets):
        pointer = f"/{side}/{index}"
        _check_named({"dataset": dataset}, "dataset", pointer, required=True)
        _check_facets(dataset, pointer, warnings)


def _check_facets(owner: dict[str, Any], pointer: str, warnings: list[str]) -> None:
    facets = owner.get("facets")
    if facets is None:
        return
    if not isinstance(facets, dict):
        warnings.append(f"facets-not-an-object {pointer}/facets")
        return
    warnings += [
        f"facet-not-an-object {pointer}/facets/{name}"
        for name, facet in facets.items()
        if not isinstance(facet, dict)
    ]


def _source_of(event: dict[str, Any], warnings: list[str]) -> str:
    producer = event.get("producer")
    if not isinstance(producer, str) or not producer:
        warnings.append("no-producer")
        producer = "unknown"
    elif not _is_uri(producer):
        warnings.append("producer-not-a-uri")
    if not isinstance(event.get("schemaURL"), str):
        warnings.append("no-schema-url")
    # Lone surrogates cannot be stored as text.
    return "openlineage:" + producer[:512].encode("utf-8", "backslashreplace").decode("utf-8")


def _is_uri(text: str) -> bool:
    try:
        return bool(urlsplit(text).scheme)
    except ValueError:
        return False


def _check_length(text: str, pointer: str) -> None:
    if len(text) > _MAX_NAME:
        raise RefusedError("a name of over 65,536 characters", code="bad-type", pointer=pointer)


def _bad_type(pointer: str, wanted: str) -> RefusedError:
    return RefusedError(f"{pointer} is not {wanted}", code="bad-type", pointer=pointer)
