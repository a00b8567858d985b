"""Kafka and what it feeds go away under load, and consumers die: nothing is lost, nothing doubled.

The name of a run tells its place: ``<partition>-<offset>`` where one producer sends in order.
"""

from __future__ import annotations

import json
import logging
import random
import signal
import threading
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest
from confluent_kafka import KafkaError, Message, Producer, TopicPartition

from tests.consuming import (
    committed,
    consume,
    consuming,
    name,
    produce,
    quick,
    recorded,
    sound,
)
from tests.java_server import free_ports
from tests.kafka_broker import KafkaBroker
from tests.serving import SECONDS, Serving, event, until

ROUNDS = 8
PARTITIONS = 3

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

_SILENT = logging.getLogger("tests.faults.kafka")
_SILENT.addHandler(logging.NullHandler())
_SILENT.propagate = False


class Load:
    """A producer that sends until it is told to stop, and notes what the broker acknowledged."""

    def __init__(self, broker: KafkaBroker, topic: str) -> None:
        config = {"bootstrap.servers": broker.bootstrap, "enable.idempotence": True,
                  "message.timeout.ms": 120_000, "reconnect.backoff.max.ms": 500}  # fmt: skip
        self._producer = Producer(config, logger=_SILENT)
        self._topic = topic
        self.acknowledged: list[str] = []
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def stop(self) -> list[str]:
        """End, when everything that was sent is there; the names of all runs."""
        self._stop.set()
        self._thread.join()
        assert self._producer.flush(SECONDS) == 0
        return self.acknowledged

    def _sent(self, run: str, error: KafkaError | None, _: Message) -> None:
        if error is None:
            self.acknowledged.append(run)

    def _run(self) -> None:
        n = 0
        while not self._stop.wait(0.005):
            run = f"run-{n}"
            self._producer.produce(
                self._topic, json.dumps(event(run)).encode(),
                on_delivery=partial(self._sent, run),
            )  # fmt: skip
            self._producer.poll(0)
            n += 1


@pytest.fixture
def broker(kafka_broker: KafkaBroker) -> Iterator[KafkaBroker]:
    """The broker of the session, running again at the end."""
    yield kafka_broker
    if not kafka_broker.running:
        kafka_broker.start()


def test_a_broker_that_is_restarted_and_killed_under_load_loses_nothing(
    broker: KafkaBroker, tmp_path: Path
) -> None:
    topic = broker.make_topic(name(), PARTITIONS)
    with consuming(broker, tmp_path, topic, words=["--batch", "10"]) as running:
        load = Load(broker, topic)
        for end in (broker.stop, broker.kill, broker.stop, broker.kill):
            before = running.count("recorded")
            until(lambda before=before: running.count("recorded") > before + 50)
            end()
            time.sleep(1)
            broker.start()
        before = running.count("recorded")
        until(lambda: running.count("recorded") > before)
        runs = load.stop()
        until(lambda: len(recorded(tmp_path)) == len(runs))
        assert running.process.poll() is None, "it lives through all of it"
        assert running.stop() == 0
        assert set(running.faults) == {"source-unavailable"}
        # Said once each time, not ten times a second.
        assert len(running.faults) < 20, running.log.read_text()
    assert recorded(tmp_path) == dict.fromkeys(runs, 1)
    sound(tmp_path)
    assert consume(broker, tmp_path, topic)["recorded"] == 0


def test_it_can_be_stopped_while_the_broker_is_away(broker: KafkaBroker, tmp_path: Path) -> None:
    topic, more = broker.make_topic(name(), 1), quick(tmp_path)
    with consuming(broker, tmp_path, topic, **more) as running:
        produce(broker, topic, [f"r{n}" for n in range(300)])
        until(lambda: running.batches)
        broker.kill()
        until(lambda: running.faults)
        began = time.monotonic()
        assert running.stop() == 0
        assert time.monotonic() - began < 30
    broker.start()
    consume(broker, tmp_path, topic)
    assert recorded(tmp_path) == {f"r{n}": 1 for n in range(300)}


def nothing_is_committed_that_is_not_recorded(
    broker: KafkaBroker, topic: str, group: str, home: Path
) -> None:
    found = recorded(home)
    assert not [run for run, times in found.items() if times > 1]
    for partition, offset in committed(broker, topic, group).items():
        missing = [n for n in range(offset) if f"{partition}-{n}" not in found]
        assert not missing, f"{topic}/{partition} is committed to {offset}"


def test_a_consumer_that_is_killed_again_and_again_skips_nothing(
    broker: KafkaBroker, tmp_path: Path
) -> None:
    topic, group, more = broker.make_topic(name(), PARTITIONS), name(), quick(tmp_path)
    chance = random.Random(20261121)
    words = ["--group", group, "--batch", "7"]
    amid, sent = 0, 0
    for _ in range(ROUNDS):
        for partition in range(PARTITIONS):
            runs = [f"{partition}-{n}" for n in range(sent, sent + 150)]
            produce(broker, topic, runs, partition=partition)
        sent += 150
        with consuming(broker, tmp_path, topic, words=words, **more) as running:
            enough = chance.randrange(1, 300)
            until(lambda enough=enough: running.count("recorded") >= enough)
            running.stop(signal.SIGKILL)
        nothing_is_committed_that_is_not_recorded(broker, topic, group, tmp_path)
        amid += len(recorded(tmp_path)) < sent * PARTITIONS
    assert amid > ROUNDS // 3, "the kills came when nothing happened"
    consume(broker, tmp_path, topic, words=words, **more)
    every = [f"{p}-{n}" for p in range(PARTITIONS) for n in range(sent)]
    assert recorded(tmp_path) == dict.fromkeys(every, 1)
    sound(tmp_path)


def test_while_the_service_is_away_messages_wait_and_the_group_keeps_its_member(
    broker: KafkaBroker, tmp_path: Path
) -> None:
    topic, group = broker.make_topic(name(), PARTITIONS), name()
    (port,) = free_ports(1)
    home = tmp_path / "service"
    # Who is not heard of for six seconds is thrown out.
    more = quick(tmp_path, max_poll_interval_ms=6000, session_timeout_ms=6000)
    more["LINEAGE_URL"] = f"http://127.0.0.1:{port}"
    runs = [f"{n % PARTITIONS}-{n // PARTITIONS}" for n in range(600)]
    words = ["--group", group, "--batch", "10"]
    with consuming(broker, tmp_path / "here", topic, words=words, **more) as running:
        with Serving(home, "--port", str(port)):
            send(broker, topic, runs[:300])
            until(lambda: len(recorded(home)) > 50)
        send(broker, topic, runs[300:])  # it has something in hand, and asks for the service
        until(lambda: "not-delivered" in running.faults)
        time.sleep(12)  # twice as long as the group has patience
        nothing_is_committed_that_is_not_recorded(broker, topic, group, home)
        with Serving(home, "--port", str(port)):
            until(lambda: len(recorded(home)) == len(runs))
            assert running.stop() == 0
        assert set(running.faults) == {"not-delivered"}, "it was not thrown out"
        assert "recording again" in running.log.read_text()
    assert recorded(home) == dict.fromkeys(runs, 1)
    sound(home)
    assert committed(broker, topic, group) == dict.fromkeys(range(PARTITIONS), 200)


def test_what_is_deleted_while_the_service_is_away_is_a_gap(
    broker: KafkaBroker, tmp_path: Path
) -> None:
    topic, home = broker.make_topic(name(), 1), tmp_path / "service"
    (port,) = free_ports(1)
    more = {"LINEAGE_URL": f"http://127.0.0.1:{port}"}
    produce(broker, topic, [f"r{n}" for n in range(10)])
    words = ["--group", name(), "--batch", "1"]
    with consuming(broker, tmp_path / "here", topic, words=words, **more) as running:
        until(lambda: running.faults)
        admin = broker.admin()
        for cut in admin.delete_records([TopicPartition(topic, 0, 8)]).values():
            cut.result(SECONDS)
        with Serving(home, "--port", str(port)):
            until(lambda: running.count("recorded") == 3)
            assert running.stop() == 0
    assert recorded(home) == dict.fromkeys(["r0", "r8", "r9"], 1)
    (gap,) = [line for line in running.log.read_text().splitlines() if "are lost" in line]
    assert gap.startswith(f"{topic}/0: offsets 1 to 7 are lost")


def test_it_can_be_stopped_while_the_service_is_away(broker: KafkaBroker, tmp_path: Path) -> None:
    topic, group = broker.make_topic(name(), 1), name()
    (port,) = free_ports(1)
    more = {"LINEAGE_URL": f"http://127.0.0.1:{port}"}
    produce(broker, topic, ["r"])
    words = ["--group", group]
    with consuming(broker, tmp_path / "here", topic, words=words, **more) as running:
        until(lambda: running.faults)
        assert running.stop() == 0
    assert not running.batches
    assert committed(broker, topic, group).get(0, -1001) < 0
    with Serving(tmp_path / "service", "--port", str(port)):
        said = consume(broker, tmp_path / "here", topic, words=words, **more)
    assert said["recorded"] == 1


def send(broker: KafkaBroker, topic: str, runs: list[str]) -> None:
    """Each to the partition that it names."""
    for partition in range(PARTITIONS):
        mine = [run for run in runs if run.startswith(f"{partition}-")]
        produce(broker, topic, mine, partition=partition)
