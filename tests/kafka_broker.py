"""A real Kafka broker for tests: KRaft, one node, plain text on loopback."""

from __future__ import annotations

import base64
import logging
import uuid
from collections.abc import Mapping, Sequence
from pathlib import Path

from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient
from confluent_kafka.cimpl import NewTopic
from typing_extensions import override

from tests.java_server import JavaServer, free_ports

__all__ = ["KafkaBroker"]

_SILENT = logging.getLogger("tests.kafka_broker.silent")
_SILENT.addHandler(logging.NullHandler())
_SILENT.propagate = False


class KafkaBroker(JavaServer):
    """Kafka 4.1 on a free loopback port; topics are made when they are first named.

    ``with KafkaBroker(tmp_path / "kafka") as broker: ...``; ``stop``, ``kill`` and ``start`` keep
    directory and port.
    """

    name = "kafka"
    heap = "384m"

    def __init__(self, directory: Path, settings: Mapping[str, str] | None = None) -> None:
        """Nothing runs before ``start`` or ``with``."""
        super().__init__(directory)
        self.settings = dict(settings or {})
        self.port, self._controller_port = free_ports(2)
        self.bootstrap = f"127.0.0.1:{self.port}"
        # The first bits are set: an id that begins with a dash is taken for an option.
        self._cluster = base64.urlsafe_b64encode(b"\0" + uuid.uuid4().bytes[1:]).decode()[:22]

    @override
    def words(self) -> Sequence[str]:
        configuration = self.directory / "kafka.properties"
        lines = {
            "process.roles": "broker,controller",
            "node.id": "1",
            "controller.quorum.voters": f"1@127.0.0.1:{self._controller_port}",
            "listeners": f"PLAINTEXT://{self.bootstrap},"
            f"CONTROLLER://127.0.0.1:{self._controller_port}",
            "advertised.listeners": f"PLAINTEXT://{self.bootstrap}",
            "controller.listener.names": "CONTROLLER",
            "inter.broker.listener.name": "PLAINTEXT",
            "listener.security.protocol.map": "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT",
            "log.dirs": str(self.directory / "data"),
            "num.partitions": "3",
            "offsets.topic.replication.factor": "1",
            "offsets.topic.num.partitions": "1",
            "transaction.state.log.replication.factor": "1",
            "transaction.state.log.num.partitions": "1",
            "transaction.state.log.min.isr": "1",
            "share.coordinator.state.topic.replication.factor": "1",
            "share.coordinator.state.topic.num.partitions": "1",
            "share.coordinator.state.topic.min.isr": "1",
            "group.initial.rebalance.delay.ms": "0",
            # Tests that kill a member need not wait six seconds until it is missed.
            "group.min.session.timeout.ms": "500",
            "auto.create.topics.enable": "true",
            "log.cleaner.dedupe.buffer.size": "2097152",  # else 128 MiB of the heap
            # A broker that was killed comes back once its former self counts as gone.
            "broker.heartbeat.interval.ms": "300",
            "broker.session.timeout.ms": "4000",
            **self.settings,
        }
        configuration.write_text("".join(f"{key}={value}\n" for key, value in lines.items()))
        return [str(configuration), self._cluster]

    def admin(self) -> AdminClient:
        """A client that makes topics and reads offsets, silent on a broker that is away."""
        return AdminClient({"bootstrap.servers": self.bootstrap}, logger=_SILENT)

    @override
    def answers(self) -> bool:
        try:
            return bool(self.admin().list_topics(timeout=1).brokers)
        except KafkaException:
            return False

    def make_topic(self, name: str, partitions: int = 3) -> str:
        """A topic of that many partitions; its name."""
        admin = self.admin()  # a name of its own: gone, it would take its answers with it
        for made in admin.create_topics([NewTopic(name, partitions, 1)]).values():
            made.result(30)
        return name
