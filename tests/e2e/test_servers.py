"""The real servers of the tests: start, stop, kill, and hold what they were told."""

from __future__ import annotations

import uuid
from pathlib import Path

import neo4j
import pytest
from confluent_kafka import Consumer, Producer
from neo4j.exceptions import AuthError

from tests import needs
from tests.java_server import NoServerError
from tests.kafka_broker import KafkaBroker
from tests.neo4j_server import MARK, Neo4jAt, Neo4jServer, claim, wipe, wipe_schema
from tests.serving import SECONDS


def _nodes(session: neo4j.Session, label: str = "") -> int:
    text = f"MATCH (n{label}) RETURN count(n) AS nodes"
    found: int = session.run(text).single(strict=True)["nodes"]
    return found


def test_neo4j_lets_in_by_its_password_only(neo4j_at: Neo4jAt) -> None:
    with neo4j_at.driver() as driver:
        driver.verify_connectivity()
    with neo4j_at.driver(password="wrong") as driver, pytest.raises(AuthError):
        driver.verify_connectivity()


@pytest.mark.parametrize("nodes", [0, 10, 6_000])
def test_a_wiped_database_keeps_its_schema_alone(neo4j_at: Neo4jAt, nodes: int) -> None:
    with neo4j_at.session() as session:
        session.run("CREATE CONSTRAINT c FOR (n:N) REQUIRE n.i IS UNIQUE").consume()
        session.run(
            "UNWIND range(0, $nodes - 1) AS i CREATE (:N {i: i})-[:R]->(:M)", nodes=nodes
        ).consume()
        wipe(session)
        assert _nodes(session) == 0
        assert session.run("SHOW CONSTRAINTS WHERE name = 'c'").data() != []
        wipe_schema(session)
        assert session.run("SHOW CONSTRAINTS WHERE name = 'c'").data() == []
        claim(session)


def test_a_database_of_somebody_is_not_wiped(neo4j_at: Neo4jAt) -> None:
    with neo4j_at.session() as session:
        session.run(f"DROP CONSTRAINT {MARK} IF EXISTS").consume()
        session.run("CREATE (:Precious)").consume()
        with pytest.raises(NoServerError, match="1 nodes that are not of these tests"):
            claim(session)
        wipe(session)
        claim(session)
        session.run("CREATE (:OfATest)").consume()
        claim(session)


@pytest.mark.slow
def test_neo4j_keeps_what_it_acknowledged(tmp_path: Path) -> None:
    try:
        server = Neo4jServer(tmp_path / "neo4j")
    except NoServerError as why:
        needs.missing("neo4j", str(why))
    try:
        with server:
            for end in (server.stop, server.kill):
                with server.at.session() as session:
                    session.run("CREATE (:Kept)").consume()
                before = server.pid
                end()
                assert not server.running
                server.start()
                assert server.pid != before
            with server.at.session() as session:
                assert _nodes(session, ":Kept") == 2
    finally:
        server.remove()
    assert not server.directory.exists()


def test_kafka_hands_over_what_was_sent(kafka_broker: KafkaBroker) -> None:
    _sent_and_received(kafka_broker, kafka_broker.make_topic(uuid.uuid4().hex))


@pytest.mark.slow
def test_kafka_keeps_what_it_acknowledged(tmp_path: Path) -> None:
    try:
        broker = KafkaBroker(tmp_path / "kafka")
    except NoServerError as why:
        needs.missing("kafka", str(why))
    try:
        with broker:
            topic = broker.make_topic("kept", partitions=1)
            _send(broker, topic)
            broker.kill()
            broker.start()
            assert _receive(broker, topic) == b"hello"
    finally:
        broker.remove()


def _sent_and_received(broker: KafkaBroker, topic: str) -> None:
    _send(broker, topic)
    assert _receive(broker, topic) == b"hello"


def _send(broker: KafkaBroker, topic: str) -> None:
    producer = Producer({"bootstrap.servers": broker.bootstrap, "acks": "all"})
    producer.produce(topic, b"hello")
    assert producer.flush(30) == 0


def _receive(broker: KafkaBroker, topic: str) -> bytes | None:
    consumer = Consumer({
        "bootstrap.servers": broker.bootstrap, "group.id": uuid.uuid4().hex,
        "auto.offset.reset": "earliest",
    })  # fmt: skip
    consumer.subscribe([topic])
    try:
        while (message := consumer.poll(SECONDS)) is not None:
            if message.error() is None:
                return message.value()
        raise AssertionError("no message came")
    finally:
        consumer.close()
