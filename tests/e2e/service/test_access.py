"""The service as its users meet it: started, asked, sent to, and stopped: who may ask."""

from __future__ import annotations

from pathlib import Path

import httpx
import pytest

from tests.e2e.service.asking import HEAD, run
from tests.serving import SECONDS, Serving, event

pytestmark = pytest.mark.both_stores


def test_with_a_token_everything_but_health_needs_it(tmp_path: Path) -> None:
    token = tmp_path / "token"
    token.write_text("s3cr3t-token\n")
    home = tmp_path / "home"
    with (
        Serving(home, "--host", "0.0.0.0", LINEAGE_TOKEN_FILE=str(token)) as serving,
        httpx.Client(
            base_url=f"http://127.0.0.1:{serving.facts['port']}", timeout=SECONDS, trust_env=False
        ) as client,
    ):
        assert client.get("/healthz").status_code == 200
        for headers in (
            {}, {"authorization": "Bearer wrong"}, {"authorization": "Bearer"},
            {"authorization": "Basic s3cr3t-token"}, {"authorization": "s3cr3t-token"},
        ):  # fmt: skip
            for path in ("/", "/graphql?query={ledger{head{seq}}}", "/readyz", "/metrics", "/nope"):
                refused = client.get(path, headers=headers)
                assert (refused.status_code, refused.json()["code"]) == (401, "not-authorized")
                assert refused.headers["www-authenticate"] == "Bearer"
            refused = client.post("/api/v1/lineage", json=event(run(1)), headers=headers)
            assert refused.status_code == 401
        good = {"authorization": "Bearer s3cr3t-token"}
        assert client.get("/readyz", headers=good).json()["position"] == 0
        assert client.post("/api/v1/lineage", json=event(run(1)), headers=good).status_code == 201
        entry = "{ ledger { entry(seq: 1) { actor { id verified } } } }"
        shown = client.post("/graphql", json={"query": entry}, headers=good).json()
        assert shown["data"]["ledger"]["entry"]["actor"] == {
            "id": "service:lineage,bearer-token", "verified": "token"
        }  # fmt: skip
        assert "s3cr3t" not in serving.log.read_text()


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("127.0.0.1", 200), ("localhost:99", 200), ("[::1]:8080", 200), ("LOCALHOST", 200),
        ("evil.example", 421), ("evil.example:80", 421), ("127.0.0.1.evil.example", 421),
        ("localhost.evil.example", 421), ("10.0.0.1", 421), ("", 421), ("[::1].evil", 421),
    ],
)  # fmt: skip
def test_names_that_only_resolve_here_are_refused(serving: Serving, host: str, status: int) -> None:
    answer = serving.client.get("/readyz", headers={"host": host})
    assert answer.status_code == status


def test_nothing_is_shared_with_pages_from_elsewhere(serving: Serving) -> None:
    origin = {"origin": "https://evil.example"}
    for answer in (
        serving.client.get("/", headers=origin),
        serving.client.get("/nope", headers=origin),
        serving.client.post("/graphql", json={"query": HEAD}, headers=origin),
        serving.client.options("/graphql", headers={
            **origin, "access-control-request-method": "POST"
        }),
    ):  # fmt: skip
        assert not [name for name in answer.headers if name.startswith("access-control")]
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert "default-src 'none'" in answer.headers["content-security-policy"]


def test_the_page_loads_nothing_and_links_to_what_is_there(serving: Serving) -> None:
    page = serving.client.get("/").text
    assert "<script" not in page
    assert "http://" not in page
    assert "https://" not in page
    links = [part.partition('"')[0] for part in page.split('href="')[1:]]
    assert links
    for link in links:
        assert serving.client.get(link).status_code == 200
