"""Kafka, the pure part: addresses, the client's set-up, what a message is, where to begin."""

from __future__ import annotations

import json
import sys
from typing import Any

import pytest

from lineage.capture.kafka.address import Address, parse_address
from lineage.capture.kafka.beginning import DELETED, REPLACED, Beginning
from lineage.capture.kafka.client import client_config, parse_properties
from lineage.capture.kafka.group import Group
from lineage.capture.kafka.messages import Gap, Message, offered_by
from lineage.capture.offered import AUTO, CHANGE, CHANGES, OPENLINEAGE
from lineage.errors import ConfigError, NotInstalledError
from tests.serving import event

ONE = Address(("h:9092",), ("t",))
NONE = -1001
"""How the client says that there is no offset."""
ITEM = {"source": "s", "event_id": "1", "change": {"kind": "team.described"}}


def message(value: Any, form: str = "") -> Message:
    raw = value if value is None or isinstance(value, bytes) else json.dumps(value).encode()
    return Message("t", 2, 41, raw, form)


# --- addresses


def test_an_address_names_brokers_and_topics() -> None:
    found = parse_address("kafka://a,b:19092,[::1]:9093/x,y.z_1-2,x")
    assert found == Address(("a:9092", "b:19092", "[::1]:9093"), ("x", "y.z_1-2"))
    assert str(found) == "kafka://a:9092,b:19092,[::1]:9093/x,y.z_1-2"


@pytest.mark.parametrize(
    "text",
    ["", "http://h/t", "kafka://", "kafka://h", "kafka://h/", "kafka:///t", "kafka://h:x/t",
     "kafka://h/t,", "kafka://h/a/b", "kafka://h/t?sasl.password=x", "kafka://h/..", "kafka://h/é"],
)  # fmt: skip
def test_what_is_no_address_is_refused(text: str) -> None:
    with pytest.raises(ConfigError):
        parse_address(text)


@pytest.mark.parametrize("text", ["kafka://u:hunter2@h/t", "kafka://hunter2@h/t"])
def test_a_login_in_an_address_is_refused_and_not_shown(text: str) -> None:
    with pytest.raises(ConfigError, match="user or a password") as caught:
        parse_address(text)
    assert "hunter2" not in str(caught.value.as_dict())


# --- the client


def test_properties_are_lines() -> None:
    text = "# comment\n! another\n\n security.protocol = SSL\nsasl.password=a=b#c\n"
    assert parse_properties(text) == {"security.protocol": "SSL", "sasl.password": "a=b#c"}


def test_a_bad_line_is_numbered_and_not_shown() -> None:
    with pytest.raises(ConfigError, match="line 2") as caught:
        parse_properties("a=b\nhunter2\n")
    assert "hunter2" not in str(caught.value.as_dict())


@pytest.mark.parametrize(
    "name", ["enable.auto.commit", "group.id", "auto.offset.reset", "isolation.level"]
)
def test_what_would_break_a_promise_is_not_to_be_set(name: str) -> None:
    with pytest.raises(ConfigError, match=name):
        client_config(ONE, "g", {name: "x"}, user="", password="")


def test_offsets_are_ours_to_commit() -> None:
    config = client_config(ONE, "g", {"client.id": "mine"}, user="", password="")
    assert config["enable.auto.commit"] is False
    assert config["enable.auto.offset.store"] is False
    assert config["partition.assignment.strategy"] == "cooperative-sticky"
    assert (config["group.id"], config["client.id"]) == ("g", "mine")
    assert "sasl.password" not in config


def test_a_password_travels_encrypted_unless_a_file_says_otherwise() -> None:
    config = client_config(ONE, "g", {}, user="u", password="p")
    assert (config["security.protocol"], config["sasl.mechanism"]) == ("SASL_SSL", "PLAIN")
    said = {"security.protocol": "SASL_PLAINTEXT", "sasl.mechanisms": "SCRAM-SHA-512"}
    config = client_config(ONE, "g", said, user="u", password="p")
    assert config["security.protocol"] == "SASL_PLAINTEXT"
    assert "sasl.mechanism" not in config
    with pytest.raises(ConfigError, match="LINEAGE_KAFKA_USER"):
        client_config(ONE, "g", {}, user="", password="p")


# --- messages


@pytest.mark.parametrize(
    ("value", "form", "kinds"),
    [
        (event("r"), AUTO, [OPENLINEAGE]),
        ([event("r"), event("s")], AUTO, [OPENLINEAGE, OPENLINEAGE]),
        ({"changes": [ITEM, ITEM]}, AUTO, [CHANGE, CHANGE]),
        (ITEM, AUTO, [CHANGE]),
        (ITEM, CHANGES, [CHANGE]),
        ({**event("r"), "change": 1}, AUTO, [OPENLINEAGE]),
        (ITEM, OPENLINEAGE, [OPENLINEAGE]),
    ],
)
def test_content_tells_what_a_message_is(value: Any, form: str, kinds: list[str]) -> None:
    found = offered_by(message(value), form)
    assert [each.offered_as for each in found] == kinds
    assert not [each.fault for each in found if each.fault]


def test_a_header_tells_before_the_content_and_the_option_before_the_header() -> None:
    assert offered_by(message(ITEM, OPENLINEAGE), AUTO)[0].offered_as == OPENLINEAGE
    assert offered_by(message(ITEM, OPENLINEAGE), CHANGES)[0].offered_as == CHANGE
    assert offered_by(message(ITEM, "protobuf"), AUTO)[0].offered_as == CHANGE


def test_events_keep_their_bytes_and_their_place() -> None:
    raw = json.dumps(event("r"), indent=3).encode()
    (found,) = offered_by(message(raw), AUTO)
    assert found.body == raw
    assert found.origin == {"topic": "t", "partition": 2, "offset": 41}


@pytest.mark.parametrize(
    ("value", "code"),
    [(None, "tombstone"), (b"", "malformed"), (b"\xff", "malformed"), (b"{", "malformed"),
     (b"[]", "malformed"), (b"[" * 200 + b"]" * 200, "too-deep"), ({"changes": 1}, "bad-change"),
     (b"1e999", "number-out-of-range")],
)  # fmt: skip
def test_what_cannot_be_read_is_offered_with_its_fault(value: Any, code: str) -> None:
    one = message(value)
    (found,) = offered_by(one, AUTO)
    assert found.fault is not None
    assert found.fault.code == code
    assert found.body == (one.value or b"")
    assert found.origin["offset"] == 41


# --- where to begin


@pytest.mark.parametrize(
    ("latest", "committed", "read", "first", "gap"),
    [
        (False, NONE, NONE, 10, None),
        (True, NONE, NONE, 20, None),
        (True, 15, NONE, 15, None),
        (False, 10, NONE, 10, None),
        (False, 20, NONE, 20, None),
        (False, 7, NONE, 10, (7, 9, DELETED)),
        (True, 0, NONE, 10, (0, 9, DELETED)),
        (False, 21, NONE, 10, (21, 21, REPLACED)),
        # We are ahead of what the group has, of a partition that ran away from under us.
        (False, NONE, 8, 10, (8, 9, DELETED)),
        (False, 3, 8, 10, (8, 9, DELETED)),
    ],
)
def test_a_group_begins_where_it_was_and_says_what_it_cannot_have(
    latest: bool, committed: int, read: int, first: int, gap: tuple[int, int, str] | None
) -> None:
    found = Beginning(latest, lambda: 5).of(("t", 0), committed, read, 10, 20)
    assert found == (first, Gap("t", 0, *gap, 5) if gap else None)


def test_a_gap_found_again_is_the_same_change() -> None:
    one, again = (Gap("t", 1, 7, 9, DELETED, at).offered().value for at in (5, 6))
    assert (one["source"], one["event_id"]) == (again["source"], again["event_id"])
    assert one["source"] == "kafka:t"
    assert one["change"]["from_position"] == "1@7"


def test_without_the_client_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "confluent_kafka", None)
    nobody: Any = None
    with pytest.raises(NotInstalledError) as caught:
        Group({}, ["t"], Beginning(latest=False, clock=lambda: 0), nobody, say=nobody)
    assert "lineage-store[kafka]" in caught.value.hint
