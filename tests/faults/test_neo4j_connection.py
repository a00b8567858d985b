"""What a Neo4j that cannot be used is said to be: each fault its own error, with a hint."""

from __future__ import annotations

import shutil
import socket
import subprocess
import threading
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from neo4j.exceptions import Neo4jError

from lineage.errors import (
    ConfigError,
    LineageError,
    NotAStoreError,
    OutcomeUnknownError,
    StoreAuthError,
    StoreBusyError,
    StoreError,
    StoreFullError,
    StoreTlsError,
    StoreUnavailableError,
)
from lineage.store.neo4j import connection
from lineage.store.neo4j.address import Address
from lineage.store.neo4j.connection import Database, translated
from tests import needs
from tests.bolt_proxy import COMMIT, BoltProxy
from tests.java_server import NoServerError, free_ports
from tests.neo4j_server import Neo4jAt, Neo4jServer

SECRET = "hunter2hunter2"


def _fault(url: str, password: str = SECRET) -> LineageError:
    with Database.open(url, password) as database, pytest.raises(LineageError) as raised:
        database.verify()
    fault = raised.value
    assert fault.hint
    assert SECRET not in str(fault.as_dict())
    return fault


@contextmanager
def _listening(answer: bytes) -> Iterator[int]:
    """A port where everything gets the same answer, or none."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        held: list[socket.socket] = []

        def serve() -> None:
            while True:
                try:
                    client, _ = listening.accept()
                except OSError:
                    return
                held.append(client)
                if answer:
                    client.recv(1024)
                    client.sendall(answer)
                    client.close()

        threading.Thread(target=serve, daemon=True).start()
        yield listening.getsockname()[1]
        listening.shutdown(socket.SHUT_RDWR)
        for client in held:
            client.close()


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    if shutil.which("openssl") is None:
        needs.missing("neo4j", "there is no openssl on the PATH to make a certificate with")
    place = tmp_path_factory.mktemp("certificate")
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2",
         "-subj", "/CN=localhost", "-addext", "subjectAltName=IP:127.0.0.1",
         "-keyout", str(place / "private.key"), "-out", str(place / "public.crt")],
        check=True, capture_output=True,
    )  # fmt: skip
    return place


@pytest.fixture(scope="module")
def encrypted(certificate: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Neo4jServer]:
    policy = "dbms.ssl.policy.bolt"
    tls = {
        "server.bolt.tls_level": "REQUIRED",
        f"{policy}.enabled": "true",
        f"{policy}.base_directory": str(certificate),
        f"{policy}.private_key": "private.key",
        f"{policy}.public_certificate": "public.crt",
        f"{policy}.client_auth": "NONE",
    }
    try:
        server = Neo4jServer(tmp_path_factory.mktemp("encrypted"), tls)
    except NoServerError as why:
        needs.missing("neo4j", str(why))
    try:
        server.start()
        yield server
        server.stop()
    finally:
        server.remove()


@pytest.mark.parametrize(
    "url",
    ["neo4j://", "neo4j://h:x", "neo4j://h/a/b", "neo4j://h?password=x", f"neo4j://u:{SECRET}@h",
     "neo4j://[::1", "http://h", "neo4j://h#f"],
)  # fmt: skip
def test_an_address_that_is_none_is_refused_and_not_repeated(url: str) -> None:
    with pytest.raises(ConfigError) as refused:
        Database.open(url, SECRET).close()
    assert SECRET not in str(refused.value.as_dict())


def test_an_address_has_parts_that_may_be_left_out() -> None:
    assert Address.parse("neo4j://h") == Address("neo4j", "h", 7687, "neo4j", "neo4j")
    whole = Address.parse("bolt+s://ann%40corp@[::1]:7000/lin")
    assert whole == Address("bolt+s", "::1", 7000, "ann@corp", "lin")
    assert whole.server == "bolt+s://[::1]:7000"


def test_nobody_there_is_away_and_may_come_back() -> None:
    fault = _fault(f"neo4j://127.0.0.1:{free_ports(1)[0]}")
    assert isinstance(fault, StoreUnavailableError)
    assert fault.retryable
    assert "Connection refused" in fault.message


def test_an_unknown_host_is_named() -> None:
    fault = _fault("neo4j://nowhere.invalid")
    assert isinstance(fault, StoreUnavailableError)
    assert "nowhere.invalid" in fault.message


@pytest.mark.parametrize("scheme", ["neo4j", "bolt", "neo4j+s", "bolt+ssc"])
def test_an_http_port_is_no_store(scheme: str) -> None:
    with _listening(b"HTTP/1.1 400 Bad Request\r\n\r\n") as port:
        fault = _fault(f"{scheme}://127.0.0.1:{port}")
    assert isinstance(fault, NotAStoreError)
    assert "speaks HTTP" in fault.message


def test_a_port_that_says_nothing_is_away(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection, "_ACQUIRE_SECONDS", 1.0)
    with _listening(b"") as port:
        assert isinstance(_fault(f"bolt://127.0.0.1:{port}"), StoreUnavailableError)


@pytest.mark.parametrize("scheme", ["neo4j", "bolt"])
def test_a_wrong_password_is_said(neo4j_at: Neo4jAt, scheme: str) -> None:
    url = replace(Address.parse(neo4j_at.url), scheme=scheme, user=uuid.uuid4().hex).server
    fault = _fault(url)
    assert isinstance(fault, StoreAuthError)
    assert not fault.retryable


def test_too_many_wrong_passwords_are_said(neo4j_at: Neo4jAt) -> None:
    name = f"u{uuid.uuid4().hex[:8]}"
    url = f"bolt://{name}@{Address.parse(neo4j_at.url).place}"
    with neo4j_at.driver() as driver:
        driver.execute_query(
            f"CREATE USER {name} SET PASSWORD 'right-and-long' CHANGE NOT REQUIRED",
            database_="system",
        )
        try:
            assert "too many" in [_fault(url) for _ in range(4)][-1].message
        finally:
            driver.execute_query(f"DROP USER {name}", database_="system")


def test_a_password_that_has_to_be_changed_is_said(neo4j_at: Neo4jAt) -> None:
    name = f"u{uuid.uuid4().hex[:8]}"
    with neo4j_at.driver() as driver:
        driver.execute_query(
            f"CREATE USER {name} SET PASSWORD '{SECRET}' CHANGE REQUIRED", database_="system"
        )
        try:
            fault = _fault(f"bolt://{name}@{Address.parse(neo4j_at.url).place}")
        finally:
            driver.execute_query(f"DROP USER {name}", database_="system")
    assert isinstance(fault, StoreAuthError)
    assert "has to be changed" in fault.message


def test_a_database_that_is_not_there_is_named(neo4j_at: Neo4jAt) -> None:
    base = urlsplit(neo4j_at.url)._replace(path="/nothere").geturl()
    fault = _fault(base, neo4j_at.password)
    assert isinstance(fault, NotAStoreError)
    assert "no database 'nothere'" in fault.message


@pytest.mark.parametrize("scheme", ["neo4j", "bolt"])
def test_a_server_that_demands_tls_is_told_from_one_that_is_away(
    encrypted: Neo4jServer, scheme: str
) -> None:
    fault = _fault(f"{scheme}://127.0.0.1:{encrypted.port}", encrypted.password)
    assert isinstance(fault, StoreTlsError)
    assert "encrypted connections only" in fault.message


@pytest.mark.parametrize("scheme", ["neo4j+s", "bolt+s"])
def test_a_certificate_that_nobody_vouches_for_is_said(encrypted: Neo4jServer, scheme: str) -> None:
    fault = _fault(f"{scheme}://127.0.0.1:{encrypted.port}", encrypted.password)
    assert isinstance(fault, StoreTlsError)
    assert "not trusted: self-signed" in fault.message


@pytest.mark.parametrize("scheme", ["neo4j+s", "bolt+s", "neo4j+ssc"])
def test_a_server_without_tls_is_said(neo4j_at: Neo4jAt, scheme: str) -> None:
    url = replace(Address.parse(neo4j_at.url), scheme=scheme).server
    fault = _fault(url, neo4j_at.password)
    assert isinstance(fault, StoreTlsError)
    assert "takes no encrypted connections" in fault.message


def test_encrypted_connections_work(
    encrypted: Neo4jServer, certificate: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    at = f"127.0.0.1:{encrypted.port}"
    with Database.open(f"neo4j+ssc://{at}", encrypted.password) as database:
        database.verify()
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate / "public.crt"))
    with Database.open(f"neo4j+s://{at}", encrypted.password) as database:
        database.verify()


def test_a_commit_whose_answer_is_lost_is_unknown_and_not_repeated(neo4j_at: Neo4jAt) -> None:
    with BoltProxy(Address.parse(neo4j_at.url).port) as proxy:
        url = f"bolt://{neo4j_at.user}@127.0.0.1:{proxy.port}/{neo4j_at.database}"
        with Database.open(url, neo4j_at.password) as database:
            database.verify()
            proxy.cut_at = COMMIT
            with (
                pytest.raises(OutcomeUnknownError) as unknown,
                database.session() as session,
            ):
                session.execute_write(lambda tx: tx.run("CREATE (:Doubtful)").consume())
            assert unknown.value.retryable
            with database.session() as session:
                made = session.run("MATCH (n:Doubtful) RETURN count(n)").single(strict=True)
                assert made.value() == 1


def test_a_connection_that_breaks_in_a_transaction_is_away(neo4j_at: Neo4jAt) -> None:
    with BoltProxy(Address.parse(neo4j_at.url).port) as proxy:
        url = f"bolt://{neo4j_at.user}@127.0.0.1:{proxy.port}/{neo4j_at.database}"
        with (
            Database.open(url, neo4j_at.password) as database,
            pytest.raises(StoreUnavailableError) as away,
        ):
            _write_twice(database, proxy.cut)
    assert not isinstance(away.value, OutcomeUnknownError)
    with neo4j_at.session() as session:
        assert session.run("MATCH (n:Lost) RETURN n").single() is None


def _write_twice(database: Database, between: Callable[[], None]) -> None:
    with database.session() as session, session.begin_transaction() as tx:
        tx.run("CREATE (:Lost)").consume()
        between()
        tx.run("CREATE (:Lost)").consume()
        tx.commit()


@pytest.mark.parametrize(
    ("code", "message", "expected"),
    [
        ("Neo.ClientError.Security.Forbidden", "not allowed", StoreAuthError),
        ("Neo.TransientError.General.DatabaseUnavailable", "stopping", StoreUnavailableError),
        ("Neo.TransientError.Transaction.Terminated", "shutdown", StoreUnavailableError),
        ("Neo.TransientError.Transaction.DeadlockDetected", "deadlock", StoreBusyError),
        ("Neo.TransientError.General.MemoryPoolOutOfMemoryError", "memory", StoreBusyError),
        ("Neo.ClientError.Transaction.TransactionTimedOut", "slow", StoreBusyError),
        ("Neo.DatabaseError.Transaction.TransactionCommitFailed",
         "java.io.IOException: No space left on device", StoreFullError),
        ("Neo.ClientError.Statement.SyntaxError", "Invalid input", StoreError),
        ("Neo.DatabaseError.General.UnknownError", "?", StoreError),
    ],
)  # fmt: skip
def test_what_the_server_answers_has_one_meaning(
    code: str, message: str, expected: type[LineageError]
) -> None:
    fault = Neo4jError._hydrate_neo4j(code=code, message=message)
    with (
        pytest.raises(StoreError, match=r"127\.0\.0\.1:7687") as raised,
        translated("bolt://127.0.0.1"),
    ):
        raise fault
    assert type(raised.value) is expected
    assert raised.value.__cause__ is fault
