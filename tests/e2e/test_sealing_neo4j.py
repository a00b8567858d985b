"""A database that was put back to what it was before it was sealed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import neo4j
import pytest

from lineage.errors import NotAsSealedError
from lineage.record.seal.changing import make_key
from tests.neo4j_server import Neo4jAt
from tests.sealing import ACTOR, ORIGIN, now, opened, write
from tests.serving import Serving, event, until


def _head(session: neo4j.Session) -> dict[str, Any]:
    found: dict[str, Any] = session.run("MATCH (h:Head) RETURN properties(h)").single(strict=True)[
        0
    ]
    return found


def _put_back(session: neo4j.Session, head: dict[str, Any]) -> None:
    session.run("MATCH (e:Entry) WHERE e.seq > $seq DETACH DELETE e", seq=head["seq"])
    session.run("MATCH (c:Checkpoint) WHERE c.size > $seq DELETE c", seq=head["seq"])
    session.run("MATCH (h:Head) SET h = $head", head=head)


def test_a_service_accepts_and_records_nothing_until_the_database_is_whole(
    tmp_path: Path, neo4j_at: Neo4jAt
) -> None:
    more = neo4j_at.environment
    with opened(tmp_path, **more) as ws, neo4j_at.session() as session:
        make_key(ws.sealer, ws.recorder, ACTOR, origin=ORIGIN, now=now())
        before = _head(session)
        write(ws, 3)
        ws.sealer.seal()
        entries = session.run("MATCH (e:Entry) WHERE e.seq > 1 RETURN properties(e) AS e").value()
        whole = _head(session)
        _put_back(session, before)
        with pytest.raises(NotAsSealedError):  # a process that runs on notices
            write(ws, 1, start=7)
    with Serving(tmp_path, **more) as serving, neo4j_at.session() as session:
        said = until(lambda: _not_recording(serving))
        assert (said["accepting"], said["error"]["code"]) == (True, "not-as-sealed")
        answer = serving.client.post("/api/v1/lineage", json=event("1"))
        assert (answer.status_code, answer.json()["status"]) == (201, "accepted")
        assert _head(session)["seq"] == 1
        session.run("UNWIND $entries AS e CREATE (n:Entry) SET n = e", entries=entries)
        session.run("MATCH (h:Head) SET h = $head", head=whole)
        until(lambda: _head(session)["seq"] == 5)
        assert until(lambda: serving.client.get("/readyz").json()["recording"])


def _not_recording(serving: Serving) -> dict[str, Any] | None:
    said: dict[str, Any] = serving.client.get("/readyz").json()
    return None if said["recording"] else said
