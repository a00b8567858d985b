"""Good and bad examples of every change: written to ``schema/events/<kind>/`` by regenerate.py.

A bad example is named for its fault and holds, beside the change, the code and pointer it must be
refused with.
"""

from __future__ import annotations

from typing import Any

AT = 1_795_248_000_000_000
RUN = {
    "namespace": "local://ann",
    "job": "train.py",
    "run_id": "01936893-9751-7a91-a2a0-a51101a3970c",
}
TABLE = {"namespace": "file", "name": "/lake/features/tx"}
TX12 = "artifact:file,/lake/features/tx@12.1f3a9c2e"
MODEL = "artifact:file,/lake/models/churn.joblib"
SHA = "a" * 64
FIRST_SEAL_KEY = "example.com/lineage+2e46667a+AYE5dw6ofRdfVqNUZsNMfszLjYqRtO43ol32D1uPybOU"
SEAL_KEY = "example.com/lineage+bd1720e6+AYqI4910CfGV/VLbLTy6XXLKZwm/HZQSG/N0iAG0D29c"
BLOB = {"sha256": SHA, "size": 12, "media_type": "text/x-diff"}

OK: dict[str, dict[str, dict[str, Any]]] = {
    "run.started": {
        "wrapped": {
            "run": RUN, "command": ["python", "train.py", "--lr", "0.1"], "cwd": "/home/ann/churn",
            "host": "ann", "user": {"person": "person:3f2a", "name": "ann"},
            "parameters": {"lr": 0.1}, "variables": {"OMP_NUM_THREADS": "2"},
            "code": {"root": "/home/ann/churn", "commit": "9f" * 20, "dirty": True, "diff": BLOB},
        },
        "minimal": {"run": RUN, "command": ["true"]},
    },
    "run.finished": {
        "complete": {
            "run": RUN, "state": "COMPLETE", "exit_code": 0, "started_at": AT - 1,
            "uses": [{**TABLE, "artifact_kind": "table", "version": "12.1f3a9c2e", "at": AT}],
            "outputs": [{"namespace": "file", "name": "/lake/models/churn.joblib",
                         "artifact_kind": "model", "version": f"sha256.{SHA}", "at": AT}],
            "environment": {"digest": SHA, "interpreter": "/venv/bin/python", "version": "3.11.7"},
        },
        "failed-with-gap": {
            "run": RUN, "state": "FAIL", "exit_code": 3,
            "gaps": [{"reason": "static-binary", "detail": "/usr/bin/busybox"}],
        },
    },
    "run.abandoned": {"silent": {"run": RUN, "reason": "no event for 24 hours"}},
    "table.committed": {
        "append": {
            **TABLE, "table_id": "b108ae95-23bd-45af-99a7-00b0f2d43c74", "version": 12,
            "operation": "WRITE", "carries": True, "run": RUN,
            "added": [{"path": "part-0.parquet", "size": 460}],
        },
        "overwrite": {
            **TABLE, "table_id": "b108ae95-23bd-45af-99a7-00b0f2d43c74", "version": 13,
            "operation": "WRITE", "carries": False, "removed": ["part-0.parquet"],
            "added": [{"path": "part-1.parquet"}],
        },
    },
    "artifact.described": {"kind": {**TABLE, "artifact_kind": "training_dataset"}},
    "artifact.invalidated": {"deleted": {**TABLE, "run": RUN}},
    "artifact.renamed": {
        "moved": {"before": TABLE, "after": {"namespace": "file", "name": "/lake/features/tx2"}},
    },
    "alias.declared": {"symlink": {"a": MODEL, "b": "artifact:s3://lake,models/churn.joblib"}},
    "alias.withdrawn": {"split": {"a": MODEL, "b": "artifact:s3://lake,models/churn.joblib"}},
    "owner.claimed": {
        "explicit": {"target": MODEL, "team": "team:risk"},
        "scope": {"target": "scope:file,/lake/**", "team": "team:data",
                  "claim_source": "codeowners:lake", "confidence": 0.9},
    },
    "owner.accepted": {"explicit": {"target": MODEL, "team": "team:risk"}},
    "owner.retracted": {"explicit": {"target": MODEL, "team": "team:risk"}},
    "team.described": {"name": {"team": "team:risk", "attributes": {"name": "Risk"}}},
    "person.described": {"name": {"person": "person:3f2a", "attributes": {"name": "Ann"}}},
    "member.added": {"lead": {"person": "person:3f2a", "team": "team:risk", "role": "lead"}},
    "member.removed": {"left": {"person": "person:3f2a", "team": "team:risk"}},
    "tag.added": {"pii": {"target": TX12, "tag": "pii"}},
    "tag.removed": {"pii": {"target": TX12, "tag": "pii"}},
    "deployment.started": {
        "production": {"target": f"{MODEL}@sha256.{SHA}", "deployment": "artifact:k8s://a,churn"},
    },
    "deployment.ended": {
        "production": {"target": f"{MODEL}@sha256.{SHA}", "deployment": "artifact:k8s://a,churn"},
    },
    "pin.created": {
        "hardlink": {"target": TX12, "location": "/lake/features/.lineage-pins/tx",
                     "method": "hardlink", "files": 3, "bytes": 4096},
    },
    "pin.removed": {"given-up": {"target": TX12, "location": "/lake/features/.lineage-pins/tx"}},
    "gap.recorded": {
        "cleaned-log": {
            "gap_source": "delta:file,/lake/features/tx", "from_position": "0",
            "to_position": "4", "reason": "log cleaned", "touches": [TX12],
        },
    },
    "seal.key_added": {
        "rotated": {"key": SEAL_KEY, "replaces": FIRST_SEAL_KEY, "reason": "a year old"},
    },
    "gate.decided": {
        "deny": {"action": "deploy", "subject": f"{MODEL}@sha256.{SHA}", "decision": "deny",
                 "position": 42, "reasons": [{"rule": "owner-accepted", "outcome": "deny"}]},
    },
    "reproduction.finished": {
        "identical": {
            "subject": f"{MODEL}@sha256.{SHA}", "run": "run:local://ann,train.py,1",
            "verdict": "IDENTICAL", "isolation": "namespaces", "preflight": "REPRODUCIBLE",
        },
    },
    "claim.retracted": {"mistake": {"source": "openlineage:x", "event_id": "1", "reason": "test"}},
    "entry.redacted": {
        "erasure": {"source": "lineage-run:ann", "event_id": "1", "stub": "{}",
                    "reason": "GDPR Art. 17", "by": "person:3f2a"},
        "approved": {"source": "lineage-run:ann", "event_id": "1", "stub": "{}",
                     "reason": "GDPR Art. 17", "by": "person:77b0", "proposal": "9f" * 32},
    },
    "redaction.proposed": {
        "entries": {"targets": [{"source": "lineage-run:ann", "event_id": "1",
                                 "stub_sha256": SHA}],
                    "reason": "GDPR Art. 17", "by": "person:3f2a"},
        "rule": {"people": 1, "reason": "there is one of us left", "by": "person:3f2a"},
    },
    "audit.accessed": {
        "export": {"what": "export", "position": 42, "ranges": [[1, 42]],
                   "place": "/audit/l.ndjson", "purpose": "yearly audit"},
    },
    "redaction.ruled": {"two": {"people": 2, "reason": "policy 7", "by": "person:3f2a"}},
}  # fmt: skip

BAD: dict[str, dict[str, dict[str, Any]]] = {
    "run.started": {
        "no-command": {"change": {"run": RUN}, "pointer": "/command"},
        "run-without-id": {
            "change": {"run": {"namespace": "n", "job": "j"}, "command": []},
            "pointer": "/run/run_id",
        },
    },
    "run.finished": {
        "unknown-state": {"change": {"run": RUN, "state": "DONE"}, "pointer": "/state"},
        "time-as-text": {
            "change": {"run": RUN, "state": "FAIL", "event_at": "2026-11-21"},
            "pointer": "/event_at",
        },
    },
    "run.abandoned": {"no-run": {"change": {}, "pointer": "/run"}},
    "table.committed": {
        "negative-version": {
            "change": {**TABLE, "table_id": "x", "version": -1, "carries": True},
            "pointer": "/version",
        },
        "no-table-id": {
            "change": {**TABLE, "version": 1, "carries": True}, "pointer": "/table_id",
        },
    },
    "artifact.described": {"no-name": {"change": {"namespace": "file"}, "pointer": "/name"}},
    "artifact.invalidated": {"no-name": {"change": {"namespace": "file"}, "pointer": "/name"}},
    "artifact.renamed": {"no-after": {"change": {"before": TABLE}, "pointer": "/after"}},
    "alias.declared": {"not-an-id": {"change": {"a": MODEL, "b": "churn"}, "pointer": "/b"}},
    "alias.withdrawn": {"not-an-id": {"change": {"a": "x", "b": MODEL}, "pointer": "/a"}},
    "owner.claimed": {
        "team-not-an-id": {"change": {"target": MODEL, "team": "risk"}, "pointer": "/team"},
        "confidence-over-one": {
            "change": {"target": MODEL, "team": "team:risk", "confidence": 2},
            "pointer": "/confidence",
        },
    },
    "owner.accepted": {"no-team": {"change": {"target": MODEL}, "pointer": "/team"}},
    "owner.retracted": {"no-team": {"change": {"target": MODEL}, "pointer": "/team"}},
    "team.described": {"no-team": {"change": {}, "pointer": "/team"}},
    "person.described": {"no-person": {"change": {}, "pointer": "/person"}},
    "member.added": {"no-team": {"change": {"person": "person:3f2a"}, "pointer": "/team"}},
    "member.removed": {"no-team": {"change": {"person": "person:3f2a"}, "pointer": "/team"}},
    "tag.added": {"no-tag": {"change": {"target": TX12}, "pointer": "/tag"}},
    "tag.removed": {"no-tag": {"change": {"target": TX12}, "pointer": "/tag"}},
    "deployment.started": {"no-deployment": {"change": {"target": TX12}, "pointer": "/deployment"}},
    "deployment.ended": {"no-deployment": {"change": {"target": TX12}, "pointer": "/deployment"}},
    "pin.created": {
        "unknown-method": {
            "change": {"target": TX12, "location": "/p", "method": "symlink"}, "pointer": "/method",
        },
    },
    "pin.removed": {"no-location": {"change": {"target": TX12}, "pointer": "/location"}},
    "gap.recorded": {"no-reason": {"change": {"gap_source": "x"}, "pointer": "/reason"}},
    "seal.key_added": {
        "no-key": {"change": {"key": "PRIVATE+KEY+x"}, "pointer": "/key"},
    },
    "gate.decided": {
        "unknown-decision": {
            "change": {"action": "deploy", "subject": MODEL, "decision": "maybe", "position": 1},
            "pointer": "/decision",
        },
    },
    "reproduction.finished": {
        "unknown-verdict": {
            "change": {"subject": MODEL, "run": "run:a,b,c", "verdict": "SAME"},
            "pointer": "/verdict",
        },
    },
    "claim.retracted": {"no-event-id": {"change": {"source": "x"}, "pointer": "/event_id"}},
    "entry.redacted": {
        "no-reason": {
            "change": {"source": "x", "event_id": "1", "stub": "{}", "by": "x"},
            "pointer": "/reason",
        },
    },
    "redaction.proposed": {
        "no-digest": {
            "change": {"targets": [{"source": "x", "event_id": "1"}], "reason": "r", "by": "x"},
            "pointer": "/targets/0/stub_sha256",
        },
    },
    "audit.accessed": {
        "unknown-way": {"change": {"what": "glance", "position": 1}, "pointer": "/what"},
    },
    "redaction.ruled": {
        "nobody": {"change": {"people": 0, "reason": "r", "by": "x"}, "pointer": "/people"},
    },
}  # fmt: skip


def change(kind: str, fields: dict[str, Any]) -> dict[str, Any]:
    """A whole change of its fields."""
    return {"kind": kind, "v": 1, "event_at": AT, **fields}
