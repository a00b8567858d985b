"""Deterministic OpenLineage events for benchmarks: a layered pipeline whose truth is known."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass

from lineage.model.canonical import iso

START = 1_790_000_000_000_000
"""First event time, UTC microseconds."""

_SCHEMA = [{"name": f"column_{i}", "type": "double", "description": "a measured feature"}
           for i in range(12)]  # fmt: skip


@dataclass(frozen=True)
class Pipeline:
    """``levels`` x ``width`` runs; run i of a level reads outputs i, i+1, i+2 of the level below.

    The last level's run at the left edge has exactly 1 + 3 + ... + (2 levels - 1) runs upstream
    (100 for 10 levels) and that many outputs plus 2 levels + 1 sources (121 versions).
    """

    levels: int = 10
    width: int = 1000

    def events(self) -> Iterator[bytes]:
        """One COMPLETE event a run, in the order of the data's flow."""
        for level in range(1, self.levels + 1):
            for i in range(self.width):
                inputs = [self.dataset(level - 1, (i + k) % self.width) for k in range(3)]
                yield event(
                    f"{level:02d}-{i:06d}", f"stage-{level}", inputs, [self.dataset(level, i)],
                    START + (level * self.width + i) * 1_000_000,
                )  # fmt: skip

    def dataset(self, level: int, i: int) -> str:
        """Name of an output; level 0 are sources."""
        return f"lake/level-{level}/part-{i}"

    def model(self) -> str:
        """The id of the artifact at the end."""
        return f"artifact:s3://bench,{self.dataset(self.levels, 0)}"

    @property
    def runs_upstream(self) -> int:
        """Truth: runs upstream of :meth:`model`."""
        return self.levels**2

    @property
    def versions_upstream(self) -> int:
        """Truth: versions upstream, the model's own and the sources included."""
        return self.runs_upstream + 2 * self.levels + 1


def event(run: str, job: str, inputs: list[str], outputs: list[str], at: int) -> bytes:
    """An OpenLineage COMPLETE event of about 2.5 KB."""

    def dataset(name: str) -> dict[str, object]:
        return {
            "namespace": "s3://bench",
            "name": name,
            "facets": {
                "version": {
                    "_producer": "https://bench.example",
                    "_schemaURL": "https://bench.example/version",
                    "datasetVersion": f"v1-{name.rpartition('-')[2]}",
                }
            },
        }

    out = [dataset(name) for name in outputs]
    for item in out:
        item["facets"] = {**item["facets"], "schema": {"fields": _SCHEMA}}  # type: ignore[dict-item]
    value = {
        "eventTime": iso(at),
        "eventType": "COMPLETE",
        "run": {"runId": f"0193{run:0>32}"},
        "job": {"namespace": "bench", "name": job},
        "inputs": [dataset(name) for name in inputs],
        "outputs": out,
        "producer": "https://bench.example/1.0",
        "schemaURL": "https://bench.example/spec#RunEvent",
    }
    return json.dumps(value).encode()


def ingest_events(count: int, start: int) -> list[bytes]:
    """Events of a busy site: 3 inputs, 1 output, all distinct."""
    return [
        event(
            f"ing-{i:010d}", f"job-{i % 50}", [f"raw/{i % 997}-1", f"dim/{i % 31}-1", f"f/{i}-1"],
            [f"out/{i}-1"], START + i * 1000,
        )
        for i in range(start, start + count)
    ]  # fmt: skip
