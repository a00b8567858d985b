"""A real `lineage consume` in a process of its own, and what a topic and a group know."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import uuid
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from confluent_kafka import ConsumerGroupTopicPartitions, Producer, TopicPartition

from lineage.record.ledger import verify
from lineage.settings import load_settings
from lineage.wiring import open_workspace
from tests.kafka_broker import KafkaBroker
from tests.serving import SECONDS, environment, event, lineage

__all__ = [
    "Consuming", "committed", "consume", "consuming", "name", "produce", "quick", "recorded",
    "set_back", "sound",
]  # fmt: skip


def name() -> str:
    """A name that no other test has."""
    return f"t{uuid.uuid4().hex[:10]}"


def produce(broker: KafkaBroker, topic: str, values: Iterable[Any], **more: Any) -> None:
    """Send messages: bytes, None, a value to be JSON, or the name of a run for its event."""
    producer = Producer({"bootstrap.servers": broker.bootstrap})
    for value in values:
        said = event(value) if isinstance(value, str) else value
        raw = said if said is None or isinstance(said, bytes) else json.dumps(said).encode()
        while True:
            try:
                producer.produce(topic, raw, **more)
                break
            except BufferError:
                producer.poll(0.1)
    assert producer.flush(SECONDS) == 0


def address(broker: KafkaBroker, *topics: str) -> str:
    """Where they are."""
    return f"kafka://{broker.bootstrap}/{','.join(topics)}"


def consume(
    broker: KafkaBroker, home: Path, *topics: str, words: Iterable[str] = (), **more: str
) -> dict[str, Any]:
    """Run `lineage consume --until-end` to its end; what it says it did."""
    home.mkdir(exist_ok=True)
    done = lineage(
        home, "consume", address(broker, *topics), "--until-end", "--json", *words, **more
    )
    assert done.returncode == 0, done.stderr
    said: dict[str, Any] = json.loads(done.stdout)
    return said


def quick(home: Path, **more: int) -> dict[str, str]:
    """Settings of consumers that are missed two seconds after they were killed."""
    lines = {"session.timeout.ms": 2000, "heartbeat.interval.ms": 300}
    lines |= {name.replace("_", "."): value for name, value in more.items()}
    file = home / "kafka.properties"
    file.write_text("".join(f"{name}={value}\n" for name, value in lines.items()))
    return {"LINEAGE_KAFKA_CONFIG": str(file)}


def committed(broker: KafkaBroker, topic: str, group: str = "lineage") -> dict[int, int]:
    """The offsets that the group has, by partition."""
    admin = broker.admin()
    asked = admin.list_consumer_group_offsets([ConsumerGroupTopicPartitions(group)])
    found: Any = asked[group].result(SECONDS).topic_partitions
    return {each.partition: each.offset for each in found if each.topic == topic}


def set_back(broker: KafkaBroker, topic: str, offset: int, group: str = "lineage") -> None:
    """Give the group an offset of partition 0; it must have no member."""
    admin = broker.admin()
    asked = ConsumerGroupTopicPartitions(group, [TopicPartition(topic, 0, offset)])
    for answer in admin.alter_consumer_group_offsets([asked]).values():
        answer.result(SECONDS)


def recorded(home: Path) -> Counter[str]:
    """Run ids of the OpenLineage events in the store, as often as they are there."""
    with open_workspace(load_settings(environment(home)), read_only=True) as ws:
        return Counter(
            json.loads(entry.body)["run"]["runId"]
            for entry in ws.store.entries()
            if entry.kind == "openlineage.run"
        )


def sound(home: Path) -> None:
    """The ledger verifies and the graph is what it says."""
    with open_workspace(load_settings(environment(home)), read_only=True) as ws:
        assert not verify(ws.store, ws.blobs).faults


class Consuming:
    """A running consumer. ``batches`` holds what it said of each batch, when it has ended."""

    def __init__(
        self, broker: KafkaBroker, home: Path, *topics: str, words: Iterable[str] = (),
        more: Mapping[str, str] | None = None,
    ) -> None:  # fmt: skip
        home.mkdir(exist_ok=True)
        self.log = home / f"consume-{name()}.log"
        self.said = self.log.with_suffix(".jsonl")
        with self.log.open("wb") as log, self.said.open("wb") as said:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "lineage", "consume", address(broker, *topics), "--json",
                 *words],
                env=environment(home, more), stdout=said, stderr=log,
            )  # fmt: skip

    @property
    def batches(self) -> list[dict[str, Any]]:
        """What it said of each batch so far."""
        whole = self.said.read_text().rpartition("\n")[0]
        return [json.loads(line) for line in whole.splitlines()]

    @property
    def faults(self) -> list[str]:
        """Codes of the faults it told of."""
        lines = [line for line in self.log.read_text().splitlines() if line.startswith("{")]
        return [json.loads(line)["error"]["code"] for line in lines]

    def count(self, what: str) -> int:
        """A number of its batches, together."""
        return sum(batch[what] for batch in self.batches)

    def stop(self, number: int = signal.SIGTERM) -> int:
        """Stop it; its exit status."""
        self.process.send_signal(number)
        return self.process.wait(SECONDS)


@contextmanager
def consuming(
    broker: KafkaBroker, home: Path, *topics: str, words: Iterable[str] = (), **more: str
) -> Iterator[Consuming]:
    """A consumer that is gone at the end, whatever happens."""
    running = Consuming(broker, home, *topics, words=words, more=more)
    try:
        yield running
    finally:
        if running.process.poll() is None:
            running.process.kill()
            running.process.wait()
