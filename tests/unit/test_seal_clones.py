"""One log that is published to one repository by several machines, each with a clone of it."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from lineage.record.seal.folder import FolderPlace
from lineage.record.seal.places import note_name
from lineage.record.seal.repository import GitPlace
from tests.sealing import ORIGIN, checkpoint, clone, git, note


@pytest.mark.parametrize("begun", [True, False])
def test_two_machines_publish_one_log(tmp_path: Path, begun: bool) -> None:
    """Both change the latest: the later one stays, and neither clone is stuck."""
    remote = tmp_path / "remote.git"
    one = GitPlace(clone(remote, tmp_path / "one"))
    if begun:
        one.write(checkpoint(10))
    other = GitPlace(clone(remote, tmp_path / "two"))
    one.write(checkpoint(20))
    other.write(checkpoint(30))
    one.write(checkpoint(25))
    other.write(checkpoint(40))
    for place in (one, other):
        assert place.read(f"{ORIGIN}/checkpoint") == note(40)
        for size in (20, 25, 30, 40):
            assert place.read(f"{ORIGIN}/{note_name(size)}") == note(size)


def test_a_clone_keeps_what_else_is_in_it_where_both_published(tmp_path: Path) -> None:
    remote = tmp_path / "remote.git"
    one = GitPlace(clone(remote, tmp_path / "one"))
    (tmp_path / "one" / "README").write_text("read me\n")
    git(tmp_path / "one", "add", "README")
    one.write(checkpoint(10))
    identity = ("-c", "user.name=x", "-c", "user.email=x@x")
    git(tmp_path / "one", *identity, "commit", "-qm", "explain")
    one.write(checkpoint(20))
    other = GitPlace(clone(remote, tmp_path / "two"))
    one.write(checkpoint(30))
    (tmp_path / "two" / "README").write_text("not committed\n")
    (tmp_path / "two" / "notes").write_text("of nobody\n")
    other.write(checkpoint(40))
    assert one.read(f"{ORIGIN}/checkpoint") == note(40)
    assert (tmp_path / "two" / "README").read_text() == "not committed\n"
    assert git(tmp_path / "two", "status", "--short").split() == ["M", "README", "??", "notes"]


def test_a_clone_that_was_left_amid_a_rebase_publishes_again(tmp_path: Path) -> None:
    remote, stuck = tmp_path / "remote.git", tmp_path / "two"
    one = GitPlace(clone(remote, tmp_path / "one"))
    one.write(checkpoint(10))
    clone(remote, stuck)
    one.write(checkpoint(20))
    FolderPlace(stuck).write(checkpoint(30))
    identity = ("-c", "user.name=x", "-c", "user.email=x@x")
    git(stuck, "add", ".")
    git(stuck, *identity, "commit", "-qm", "Publish")
    with pytest.raises(subprocess.CalledProcessError):
        git(stuck, *identity, "pull", "--rebase")
    assert git(stuck, "branch", "--show-current") == ""
    other = GitPlace(stuck)
    assert other.read(f"{ORIGIN}/checkpoint") == note(20)
    other.write(checkpoint(30))
    assert one.read(f"{ORIGIN}/checkpoint") == note(30)
    assert git(stuck, "status", "--short") == ""
