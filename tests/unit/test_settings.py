from __future__ import annotations

import stat
from pathlib import Path

import pytest

from lineage.errors import ConfigError
from lineage.record.identity import store_key
from lineage.settings import Settings, load_settings

SECRET = "hunter2"


def _settings(tmp_path: Path, **more: str) -> Settings:
    return load_settings({"LINEAGE_HOME": str(tmp_path), **more})


def test_what_belongs_to_a_file_stands_beside_it(tmp_path: Path) -> None:
    settings = _settings(tmp_path, LINEAGE_STORE=f"sqlite:///{tmp_path}/a/s.db")
    assert settings.store_kind == "sqlite"
    assert settings.store_name == str(settings.store_path) == f"{tmp_path}/a/s.db"
    assert settings.key_path == tmp_path / "a" / "s.key"
    assert settings.blobs == tmp_path / "a" / "s.blobs"
    assert settings.dead_letters == tmp_path / "a" / "s.dlq"


@pytest.mark.parametrize("scheme", ["neo4j", "neo4j+s", "neo4j+ssc", "bolt", "bolt+s", "bolt+ssc"])
def test_what_belongs_to_a_database_stands_in_the_home(tmp_path: Path, scheme: str) -> None:
    url = f"{scheme}://ann@db.example:7687/lineage"
    settings = _settings(tmp_path, LINEAGE_STORE=url)
    assert settings.store_kind == "neo4j"
    assert settings.store_name == url
    assert settings.key_path == tmp_path / "neo4j.key"
    assert settings.blobs == tmp_path / "neo4j.blobs"
    assert settings.dead_letters == tmp_path / "neo4j.dlq"


def test_processes_on_several_machines_share_key_and_blobs_by_name(tmp_path: Path) -> None:
    settings = _settings(
        tmp_path, LINEAGE_STORE="neo4j://db.example", LINEAGE_STORE_KEY_FILE="/run/key",
        LINEAGE_BLOBS="/shared/blobs",
    )  # fmt: skip
    assert settings.key_path == Path("/run/key")
    assert settings.blobs == Path("/shared/blobs")


@pytest.mark.parametrize(
    "url",
    [f"neo4j://ann:{SECRET}@db.example", f"bolt+s://:{SECRET}@db.example:1/x",
     f"neo4j://ann:{SECRET}/@#%@db.example", f"postgres://ann:{SECRET}@db.example"],
)  # fmt: skip
def test_a_password_in_the_address_is_refused_and_not_repeated(tmp_path: Path, url: str) -> None:
    with pytest.raises(ConfigError, match="has a password in it") as refused:
        _settings(tmp_path, LINEAGE_STORE=url)
    assert SECRET not in str(refused.value.as_dict())


def test_the_password_comes_from_the_environment_or_a_file_and_is_not_shown(tmp_path: Path) -> None:
    (tmp_path / "password").write_text(f"{SECRET}\n")
    for more in (
        {"LINEAGE_STORE_PASSWORD": SECRET},
        {"LINEAGE_STORE_PASSWORD_FILE": str(tmp_path / "password")},
    ):
        settings = _settings(tmp_path, **more)
        assert settings.store_password == SECRET
        assert SECRET not in repr(settings)


@pytest.mark.parametrize("url", ["oracle://x", "sqlite:///", "neo4j://", "/tmp/store.db"])
def test_an_address_that_means_nothing_is_said_when_it_is_used(tmp_path: Path, url: str) -> None:
    settings = _settings(tmp_path, LINEAGE_STORE=url)
    with pytest.raises(ConfigError, match="LINEAGE_STORE is not understood"):
        str(settings.store_path)


def test_a_key_is_made_once_for_its_owner_only(tmp_path: Path) -> None:
    settings = _settings(tmp_path, LINEAGE_STORE_KEY_FILE=str(tmp_path / "new" / "key"))
    key = store_key(settings)
    assert len(key) == 32
    assert store_key(settings) == key
    assert stat.S_IMODE(settings.key_path.stat().st_mode) == 0o600


@pytest.mark.parametrize("content", ["", "00ff", f"{SECRET}\n", "ü"])
def test_a_file_that_is_no_key_is_not_taken_for_one(tmp_path: Path, content: str) -> None:
    settings = _settings(tmp_path, LINEAGE_STORE_KEY_FILE=str(tmp_path / "key"))
    settings.key_path.write_text(content)
    with pytest.raises(ConfigError, match="is not a readable key") as refused:
        store_key(settings)
    assert SECRET not in str(refused.value.as_dict())
