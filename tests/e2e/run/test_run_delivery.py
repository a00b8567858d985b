"""A run captured on one machine, recorded by a service on another: with all that it refers to."""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from lineage.store.blobs import DirectoryBlobs
from tests.serving import Serving, lineage, until

JOB = """
import json, sys
with open("settings.yaml") as file:
    settings = file.read()
with open("model.txt", "w") as file:
    file.write(settings * 2)
"""


@pytest.fixture
def project(box: Any) -> Path:
    """A git repository with changes that no commit has."""
    box.write("train.py", "# before\n")
    box.write("requirements.lock", "numpy==2.4.6\n")
    for words in (
        ["init", "-q"],
        ["add", "train.py", "requirements.lock"],
        ["-c", "user.name=n", "-c", "user.email=e@x", "commit", "-qm", "first"],
    ):
        subprocess.run(["git", *words], cwd=box.project, env=box.environ, check=True)
    box.write("train.py", JOB)
    box.write("helper.py", "VALUE = 7\n")
    box.write("settings.yaml", "lr: 0.1\n")
    folder: Path = box.project
    return folder


def captured(box: Any, url: str) -> dict[str, Any]:
    """Run the job with delivery to ``url``, or to nobody: the summary."""
    summary = box.root / "summary.json"
    options = ["--quiet", "--summary", str(summary), *([] if url else ["--no-deliver"])]
    subprocess.run(
        box.command(sys.executable, "train.py", options=options),
        cwd=box.project, env={**box.environ, "LINEAGE_URL": url, "LINEAGE_TOKEN": "t0ken"},
        check=True,
    )  # fmt: skip
    told: dict[str, Any] = json.loads(summary.read_text())
    return told


def delivered(box: Any, serving: Serving) -> dict[str, Any]:
    """What `lineage spool deliver` says."""
    to = {"LINEAGE_URL": serving.url, "LINEAGE_TOKEN": "t0ken"}
    done = lineage(box.home, "spool", "deliver", "--json", **to)
    assert done.returncode == 0, done.stderr
    told: dict[str, Any] = json.loads(done.stdout)
    return told


def forget(box: Any) -> None:
    """The machine that captured is gone, and of the project there is only what was committed."""
    shutil.rmtree(box.home)
    subprocess.run(["git", "checkout", "-q", "."], cwd=box.project, env=box.environ, check=True)
    subprocess.run(["git", "clean", "-fdq"], cwd=box.project, env=box.environ, check=True)


def contents(serving: Serving) -> list[bytes]:
    blobs = DirectoryBlobs(serving.settings.blobs)
    return [blobs.get(digest) for digest in blobs.all()]


def checked(serving: Serving, run: str) -> dict[str, Any]:
    """What the service's machine says about making a run again."""
    done = lineage(serving.home, "check", run, "--json")
    assert done.returncode < 3, done.stderr
    told: dict[str, Any] = json.loads(done.stdout)
    return told


@pytest.mark.usefixtures("project")
def test_a_run_that_a_service_recorded_can_be_made_again_from_there(
    box: Any, tmp_path: Path
) -> None:
    with Serving(tmp_path / "service", LINEAGE_TOKEN="t0ken") as serving:
        told = captured(box, serving.url)
        assert (told["delivery"]["waiting"], told["delivery"]["blobs_missing"]) == (0, {})
        assert told["delivery"]["blobs"] == len(contents(serving)) >= 5
        everything = b"\n".join(contents(serving))
        for part in (b"+import json, sys", b"VALUE = 7", b"lr: 0.1", b"numpy==2.4.6"):
            assert part in everything
        again = captured(box, serving.url)
        assert again["delivery"]["blobs"] == 0, "what is there is not sent again"
        forget(box)
        assert checked(serving, told["run"])["verdict"] == "REPRODUCIBLE"
        shutil.rmtree(serving.settings.blobs)
        assert checked(serving, told["run"])["verdict"] == "LOST", "it was for the blobs"


@pytest.mark.usefixtures("project")
def test_a_service_that_was_away_gets_everything_later(box: Any, tmp_path: Path) -> None:
    with Serving(tmp_path / "service", LINEAGE_TOKEN="t0ken") as serving:
        url = serving.url
        serving.stop(signal.SIGKILL)
    told = captured(box, url)
    assert told["delivery"]["waiting"] == 2
    assert "waits in the spool" in told["warnings"][0]
    with Serving(tmp_path / "service", LINEAGE_TOKEN="t0ken") as serving:
        assert delivered(box, serving)["blobs"] == len(contents(serving)) >= 5
        forget(box)
        assert checked(serving, told["run"])["verdict"] == "REPRODUCIBLE"


@pytest.mark.usefixtures("project")
def test_a_service_killed_in_between_has_no_run_without_its_blobs(box: Any, tmp_path: Path) -> None:
    told = captured(box, "")
    with Serving(tmp_path / "service", LINEAGE_TOKEN="t0ken") as serving:
        delivering = subprocess.Popen(
            [sys.executable, "-m", "lineage", "spool", "deliver"],
            env={**box.environ, "LINEAGE_URL": serving.url, "LINEAGE_TOKEN": "t0ken"},
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        until(lambda: contents(serving))
        serving.stop(signal.SIGKILL)
        assert delivering.wait(60) in {0, 69}
    with Serving(tmp_path / "service", LINEAGE_TOKEN="t0ken") as serving:
        delivered(box, serving)
        forget(box)
        assert checked(serving, told["run"])["verdict"] == "REPRODUCIBLE"


@pytest.mark.usefixtures("project")
def test_a_blob_that_is_gone_does_not_hold_a_run_back(box: Any, tmp_path: Path) -> None:
    with Serving(tmp_path / "service", LINEAGE_TOKEN="t0ken") as serving:
        url = serving.url
        serving.stop()
    told = captured(box, url)
    shutil.rmtree(box.home / "store.blobs")
    with Serving(tmp_path / "service", LINEAGE_TOKEN="t0ken") as serving:
        result = delivered(box, serving)
        assert (result["delivered"], result["waiting"], result["blobs"]) == (2, 0, 0)
        assert len(result["blobs_missing"]) >= 4
        assert checked(serving, told["run"])["verdict"] != "REPRODUCIBLE"
