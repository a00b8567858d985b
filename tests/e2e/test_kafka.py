"""`lineage consume` on a real broker: groups, redelivery, poison, changes, a service behind it."""

from __future__ import annotations

import json
import logging
import signal
from pathlib import Path
from typing import Any

import pytest
from confluent_kafka import TopicPartition
from confluent_kafka.admin import AdminClient
from openlineage.client import OpenLineageClient
from openlineage.client.event_v2 import InputDataset, Job, OutputDataset, Run, RunEvent, RunState
from openlineage.client.transport.kafka import KafkaConfig, KafkaTransport
from typing_extensions import override

from lineage.record.dead_letters import DeadLetters
from lineage.settings import load_settings
from lineage.wiring import open_workspace
from tests.consuming import (
    committed,
    consume,
    consuming,
    name,
    produce,
    quick,
    recorded,
    set_back,
    sound,
)
from tests.kafka_broker import KafkaBroker
from tests.serving import Serving, environment, event, lineage, until

pytestmark = pytest.mark.slow


@pytest.fixture
def topic(kafka_broker: KafkaBroker) -> str:
    return kafka_broker.make_topic(name(), 1)


def letters(home: Path, **more: str) -> list[Any]:
    return list(DeadLetters(load_settings(environment(home, more)).dead_letters).list())


def test_events_of_openlineages_own_transport_are_recorded(
    kafka_broker: KafkaBroker, tmp_path: Path
) -> None:
    topic = kafka_broker.make_topic(name(), 3)
    config = KafkaConfig(config={"bootstrap.servers": kafka_broker.bootstrap}, topic=topic)
    client = OpenLineageClient(transport=KafkaTransport(config))
    runs = [f"01936893-9751-7a91-a2a0-{n:012d}" for n in range(30)]
    for n, run in enumerate(runs):
        for state in (RunState.START, RunState.COMPLETE):
            client.emit(RunEvent(
                eventTime="2026-11-21T08:00:00+00:00", eventType=state, run=Run(run),
                job=Job("etl", f"job-{n}"), producer="https://example.test/producer",
                inputs=[InputDataset("s3://lake", "raw")],
                outputs=[OutputDataset("s3://lake", f"out-{n}")],
            ))  # fmt: skip
    client.close(5)
    said = consume(kafka_broker, tmp_path, topic)
    assert (said["messages"], said["recorded"], said["refused"]) == (60, 60, 0)
    assert recorded(tmp_path) == dict.fromkeys(runs, 2)
    sound(tmp_path)
    found = lineage(tmp_path, "search", "out-7", "--json")
    assert "out-7" in found.stdout
    assert consume(kafka_broker, tmp_path, topic)["messages"] == 0, "the group was there already"


def test_two_consumers_share_and_one_takes_over_from_another_that_was_killed(
    kafka_broker: KafkaBroker, tmp_path: Path
) -> None:
    topic, group, more = kafka_broker.make_topic(name(), 4), name(), quick(tmp_path)
    runs = [f"run-{n}" for n in range(1200)]
    words = ["--group", group, "--batch", "10"]
    with (
        consuming(kafka_broker, tmp_path, topic, words=words, **more) as first,
        consuming(kafka_broker, tmp_path, topic, words=words, **more) as second,
    ):
        sent = iter(range(0, 400, 8))

        def both_work() -> bool:
            at = next(sent, 400)
            produce(kafka_broker, topic, runs[at : at + 8])
            return bool(first.batches and second.batches)

        until(both_work)
        before = first.count("messages")

        def goes_on() -> bool:
            # Some of them for the second time. Each round goes to a partition of its own.
            produce(kafka_broker, topic, runs[:8])
            return first.count("messages") > before

        until(goes_on)
        produce(kafka_broker, topic, runs[:400])
        first.stop(signal.SIGKILL)
        with consuming(kafka_broker, tmp_path, topic, words=words, **more) as third:
            produce(kafka_broker, topic, runs[400:])
            until(lambda: len(recorded(tmp_path)) == len(runs))

            def takes_part() -> bool:
                produce(kafka_broker, topic, runs[-8:])  # the other may have been through by then
                return bool(third.batches)

            until(takes_part)
            assert third.stop() == 0
        assert second.stop() == 0
    assert recorded(tmp_path) == dict.fromkeys(runs, 1)
    sound(tmp_path)
    said = consume(kafka_broker, tmp_path, topic, words=["--group", group])
    assert said["recorded"] == 0


def test_offsets_are_those_of_what_is_recorded_when_it_is_stopped(
    kafka_broker: KafkaBroker, topic: str, tmp_path: Path
) -> None:
    with consuming(kafka_broker, tmp_path, topic) as running:
        produce(kafka_broker, topic, [f"r{n}" for n in range(25)])
        until(lambda: running.count("recorded") == 25)
        assert running.stop() == 0
        assert running.faults == []
    assert committed(kafka_broker, topic) == {0: 25}


def test_what_is_delivered_again_has_no_effect(
    kafka_broker: KafkaBroker, topic: str, tmp_path: Path
) -> None:
    produce(kafka_broker, topic, [*(f"r{n}" for n in range(20)), {"no": "event"}])
    consume(kafka_broker, tmp_path, topic)
    with open_workspace(load_settings(environment(tmp_path))) as ws:
        before = ws.store.head()
    set_back(kafka_broker, topic, 5)
    said = consume(kafka_broker, tmp_path, topic)
    assert (said["recorded"], said["duplicates"], said["refused"]) == (0, 15, 1)
    with open_workspace(load_settings(environment(tmp_path))) as ws:
        assert ws.store.head() == before
    assert len(letters(tmp_path)) == 1
    other = consume(kafka_broker, tmp_path, topic, words=["--group", "another"])
    assert (other["recorded"], other["duplicates"]) == (0, 20)


def test_poison_is_kept_with_its_place_and_the_rest_is_recorded(
    kafka_broker: KafkaBroker, topic: str, tmp_path: Path
) -> None:
    poison = {
        1: (b"\x00\x00\x00\x00\x07avro\xff", "malformed"),
        3: (None, "tombstone"),
        4: (json.dumps({**event("x"), "run": {}}).encode(), "no-run-id"),
        6: (json.dumps({**event("y"), "x": "z" * 30_000}).encode(), "too-large"),
        8: (b"", "malformed"),
    }
    values: list[Any] = [poison[n][0] if n in poison else f"r{n}" for n in range(10)]
    produce(kafka_broker, topic, values)
    said = consume(kafka_broker, tmp_path, topic, LINEAGE_MAX_EVENT="20000")
    assert (said["recorded"], said["refused"]) == (5, 5)
    assert recorded(tmp_path) == dict.fromkeys(["r0", "r2", "r5", "r7", "r9"], 1)
    assert committed(kafka_broker, topic) == {0: 10}
    kept = {letter.origin["offset"]: letter for letter in letters(tmp_path)}
    assert {at: (letter.body, letter.code) for at, letter in kept.items()} == {
        at: (body or b"", code) for at, (body, code) in poison.items()
    }
    assert {(letter.origin["topic"], letter.origin["partition"]) for letter in kept.values()} == {
        (topic, 0)
    }
    listed = lineage(tmp_path, "dlq", "list").stdout
    assert f"{topic}/0@6" in listed
    # What was too large is understood once it may be; the others are dropped by their ids.
    again = lineage(tmp_path, "dlq", "replay", "--all", "--json")
    assert again.returncode == 1
    assert [row["status"] for row in json.loads(again.stdout)].count("recorded") == 1
    assert recorded(tmp_path)["y"] == 1
    left = [letter.id for letter in letters(tmp_path)]
    assert len(left) == 4
    assert lineage(tmp_path, "dlq", "drop", *left).returncode == 0
    assert letters(tmp_path) == []


def test_changes_are_recorded_from_a_topic(
    kafka_broker: KafkaBroker, topic: str, tmp_path: Path
) -> None:
    def item(n: int) -> dict[str, Any]:
        change = {"kind": "owner.claimed", "v": 1, "event_at": n, "target": f"team:a{n}",
                  "team": "team:b"}  # fmt: skip
        return {"source": "site", "event_id": str(n), "change": change}

    produce(kafka_broker, topic, [{"changes": [item(1), item(2)]}, item(3), item(2), "run"])
    said = consume(kafka_broker, tmp_path, topic)
    assert (said["messages"], said["recorded"], said["duplicates"]) == (4, 4, 1)
    with open_workspace(load_settings(environment(tmp_path))) as ws:
        assert [ws.store.find("site", str(n)) for n in (1, 2, 3)] == [1, 2, 3]
    strict = consume(
        kafka_broker, tmp_path, topic, words=["--group", "strict", "--format", "changes"]
    )
    assert (strict["duplicates"], strict["refused"]) == (4, 1)


def test_an_event_is_the_same_by_http_and_by_kafka(
    kafka_broker: KafkaBroker, topic: str, tmp_path: Path
) -> None:
    produce(kafka_broker, topic, ["both", "kafka only", {**event("x"), "run": {}}])
    change = {"kind": "owner.claimed", "v": 1, "event_at": 1, "target": "team:a", "team": "team:b"}
    produce(kafka_broker, topic, [{"source": "site", "change": change}])
    with Serving(tmp_path / "service") as serving:
        assert serving.client.post("/api/v1/lineage", json=event("both")).status_code == 201
        here = tmp_path / "here"
        for group, new, known in (("one", 2, 1), ("two", 0, 3)):
            said = consume(
                kafka_broker, here, topic, words=["--group", group], LINEAGE_URL=serving.url
            )
            assert (said["recorded"], said["duplicates"], said["refused"]) == (new, known, 1)
        # Only here is it known where the letter was found.
        assert [letter.origin["offset"] for letter in letters(here, LINEAGE_URL=serving.url)] == [2]
        assert not (here / "store.db").exists()
    assert recorded(tmp_path / "service") == {"both": 1, "kafka only": 1}


def test_what_the_service_refuses_is_kept_here_and_the_rest_is_recorded(
    kafka_broker: KafkaBroker, topic: str, tmp_path: Path
) -> None:
    large = {**event("large"), "x": "y" * 5000}
    produce(kafka_broker, topic, ["a", large, "b"])
    with Serving(tmp_path / "service", LINEAGE_MAX_EVENT="3000") as serving:
        said = consume(kafka_broker, tmp_path / "here", topic, LINEAGE_URL=serving.url)
    # Sent together, the others were recorded at once; sent one by one, they were there.
    assert (said["recorded"] + said["duplicates"], said["refused"]) == (2, 1)
    assert recorded(tmp_path / "service") == {"a": 1, "b": 1}
    (letter,) = letters(tmp_path / "here", LINEAGE_URL=serving.url)
    assert (letter.code, letter.origin["offset"]) == ("too-large", 1)
    with Serving(tmp_path / "service") as serving:
        again = lineage(tmp_path / "here", "dlq", "replay", "--all", LINEAGE_URL=serving.url)
        assert again.returncode == 0, again.stderr
    assert recorded(tmp_path / "service")["large"] == 1
    assert letters(tmp_path / "here", LINEAGE_URL=serving.url) == []


def test_what_was_deleted_before_it_was_read_is_a_gap(
    kafka_broker: KafkaBroker, topic: str, tmp_path: Path
) -> None:
    produce(kafka_broker, topic, ["a", "b", "c", "d"])
    consume(kafka_broker, tmp_path, topic)
    produce(kafka_broker, topic, ["e", "f", "g"])
    admin = kafka_broker.admin()
    for cut in admin.delete_records([TopicPartition(topic, 0, 6)]).values():
        cut.result(30)
    said = consume(kafka_broker, tmp_path, topic)
    assert (said["recorded"], said["gaps"]) == (1, 1)
    with open_workspace(load_settings(environment(tmp_path))) as ws:
        (gap,) = [json.loads(e.body) for e in ws.store.entries() if e.kind == "gap.recorded"]
    assert (gap["gap_source"], gap["from_position"], gap["to_position"], gap["reason"]) == (
        f"kafka:{topic}", "0@4", "0@5", "deleted-before-read",
    )  # fmt: skip


def test_a_group_may_begin_with_what_is_new(
    kafka_broker: KafkaBroker, topic: str, tmp_path: Path
) -> None:
    produce(kafka_broker, topic, ["old"])
    words = ["--group", name(), "--from", "latest"]
    with consuming(kafka_broker, tmp_path, topic, words=words) as running:

        def came() -> bool:
            produce(kafka_broker, topic, ["new"])
            return bool(running.batches)

        until(came)
        assert running.stop() == 0
    assert recorded(tmp_path) == {"new": 1}


def test_a_topic_to_come_is_waited_for(kafka_broker: KafkaBroker, tmp_path: Path) -> None:
    topic = name()
    refused = lineage(tmp_path, "consume", f"kafka://{kafka_broker.bootstrap}/{topic}",
                      "--until-end")  # fmt: skip
    assert refused.returncode == 69
    assert f"no topic '{topic}'" in refused.stderr
    file = tmp_path / "kafka.properties"
    file.write_text("topic.metadata.refresh.interval.ms=500\n")
    more = {"LINEAGE_KAFKA_CONFIG": str(file)}
    with consuming(kafka_broker, tmp_path, topic, **more) as running:
        until(lambda: running.faults)
        kafka_broker.make_topic(topic, 1)
        produce(kafka_broker, topic, ["r"])
        until(lambda: running.batches)
        assert running.stop() == 0
        assert running.faults == ["source-unavailable"]
    assert recorded(tmp_path) == {"r": 1}


def test_properties_that_the_client_does_not_know_are_named(
    kafka_broker: KafkaBroker, topic: str, tmp_path: Path
) -> None:
    file = tmp_path / "kafka.properties"
    file.write_text("no.such.property=x\n")
    done = lineage(tmp_path, "consume", f"kafka://{kafka_broker.bootstrap}/{topic}",
                   LINEAGE_KAFKA_CONFIG=str(file))  # fmt: skip
    assert done.returncode == 64
    assert "no.such.property" in done.stderr


LOGIN = {"security.protocol": "SASL_PLAINTEXT", "sasl.mechanism": "PLAIN"}


class Guarded(KafkaBroker):
    """A broker that wants a login."""

    def __init__(self, directory: Path) -> None:
        module = "org.apache.kafka.common.security.plain.PlainLoginModule required"
        super().__init__(directory, {
            "listener.security.protocol.map": "PLAINTEXT:SASL_PLAINTEXT,CONTROLLER:PLAINTEXT",
            "sasl.enabled.mechanisms": "PLAIN",
            "sasl.mechanism.inter.broker.protocol": "PLAIN",
            "listener.name.plaintext.plain.sasl.jaas.config":
                f'{module} username="ann" password="right" user_ann="right";',
        })  # fmt: skip

    @override
    def admin(self) -> AdminClient:
        return AdminClient({
            "bootstrap.servers": self.bootstrap, **LOGIN,
            "sasl.username": "ann", "sasl.password": "right",
        }, logger=logging.getLogger("tests.kafka_broker.silent"))  # fmt: skip


def test_a_login_comes_from_a_file_and_a_wrong_one_is_not_tried_for_ever(
    kafka_broker: KafkaBroker, tmp_path: Path
) -> None:
    secret, config = tmp_path / "secret", tmp_path / "kafka.properties"
    config.write_text("".join(f"{key}={value}\n" for key, value in LOGIN.items()))
    more = {"LINEAGE_KAFKA_CONFIG": str(config), "LINEAGE_KAFKA_USER": "ann",
            "LINEAGE_KAFKA_PASSWORD_FILE": str(secret)}  # fmt: skip
    with Guarded(tmp_path / "guarded") as broker:
        topic = broker.make_topic(name(), 1)
        secret.write_text("right\n")
        assert consume(broker, tmp_path, topic, **more)["messages"] == 0
        secret.write_text("wrong-hunter2\n")
        for words in ([], ["--until-end"]):
            done = lineage(
                tmp_path, "consume", f"kafka://{broker.bootstrap}/{topic}", *words, **more
            )
            assert done.returncode == 77, done.stderr
            assert "broker-refused" in done.stderr
            assert "hunter2" not in done.stderr
