"""`lineage ledger export`: whole, without the key, and sound for who verifies it elsewhere."""

from __future__ import annotations

import json
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import apsw
import pytest

from lineage import verify
from lineage.settings import load_settings
from lineage.wiring import open_workspace
from tests.handed import LOG, fill, note_of
from tests.serving import environment, lineage

pytestmark = pytest.mark.both_stores
KEY = ["--key", LOG.public.text()]


def _filled(home: Path, *, entries: int = 7) -> bytes:
    """A store with a redaction, sealed after it, and three entries more; its key."""
    home.mkdir(exist_ok=True)
    settings = load_settings(environment(home))
    with open_workspace(settings) as ws:
        fill(ws.store, entries, sealed=(4, entries + 1))
        fill(ws.store, entries + 3, sealed=(), after=entries, redact=())
    return settings.key_path.read_bytes()


def test_an_export_is_sound_and_says_what_is_not_sealed(tmp_path: Path) -> None:
    home, file = tmp_path / "home", tmp_path / "ledger.ndjson"
    key = _filled(home)
    done = lineage(home, "ledger", "export", str(file), "--json")
    assert done.returncode == 0, done
    told = json.loads(done.stdout)
    assert (told["entries"], told["sealed"], told["bytes"]) == (11, 8, file.stat().st_size)
    assert file.stat().st_mode & 0o077 == 0
    result = verify.check([str(file)], [verify.key_of(LOG.public.text())], set(), 0)
    assert result["verdict"] == "HOLDS", result
    assert "1 redacted" in result["files"][0]["facts"][0]
    assert "3 are after the last checkpoint" in result["files"][0]["facts"][0]
    expect = f"{told['entries']}:{told['root']}"
    command = Path(sys.executable).with_name("lineage-verify")
    subprocess.run([command, file, *KEY, "--expect", expect], check=True)
    exported = file.read_bytes()
    for written in (key.strip(), key.strip().hex().encode()):
        assert written not in exported


def test_an_export_never_overwrites(tmp_path: Path) -> None:
    home, file = tmp_path / "home", tmp_path / "ledger.ndjson"
    _filled(home)
    file.write_text("mine")
    done = lineage(home, "ledger", "export", str(file))
    assert done.returncode == 64
    assert file.read_text() == "mine"
    assert lineage(home, "ledger", "export", str(tmp_path / "no" / "where")).returncode == 64
    assert sorted(path.name for path in tmp_path.iterdir()) == ["home", "ledger.ndjson"]


@pytest.mark.sqlite
def test_a_ledger_without_its_last_entry_is_not_exported(tmp_path: Path) -> None:
    home, file = tmp_path / "home", tmp_path / "ledger.ndjson"
    _filled(home)
    with closing(apsw.Connection(str(home / "store.db"))) as connection:
        connection.execute("DELETE FROM entry WHERE seq = 11")
    done = lineage(home, "ledger", "export", str(file), "--json")
    assert done.returncode == 1, done
    assert json.loads(done.stderr)["error"]["code"] == "ledger-tampered"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["home"]


def test_two_exports_of_one_ledger_are_alike(tmp_path: Path) -> None:
    home = tmp_path / "home"
    _filled(home)
    for name in ("one", "two"):
        assert lineage(home, "ledger", "export", str(tmp_path / name)).returncode == 0
    assert (tmp_path / "one").read_bytes() == (tmp_path / "two").read_bytes()


def test_a_redaction_while_the_export_reads_is_in_it(tmp_path: Path) -> None:
    from lineage.record.export import export_lines

    home = tmp_path / "home"
    home.mkdir()
    with open_workspace(load_settings(environment(home))) as ws:
        fill(ws.store, 600, sealed=(), redact=())
        ws.store.seal(note_of)
        lines = export_lines(ws.store)
        read = [next(lines) for _ in range(200)]
        fill(ws.store, 600, sealed=(), after=600, redact=(3, 590))  # one was read, one not yet
        read += lines
        (tmp_path / "export").write_bytes(b"".join(read))
    result = verify.check([str(tmp_path / "export")], [verify.key_of(LOG.public.text())], set(), 0)
    assert result["verdict"] == "HOLDS", result
