"""Secrets do not reach the record; what only looks like one stays."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from lineage.capture.run.commandline import entry_point, job_name
from lineage.capture.run.gitstate import scrub_remote
from lineage.capture.run.parameters import VARIABLES, parameters, variables
from lineage.capture.run.scrub import is_secret_name, scrub_arguments, scrub_bytes, scrub_text

TOKENS = [
    "AKIA" + "Z" * 16, "ghp_" + "a1" * 18, "github_pat_" + "b" * 30, "glpat-" + "c" * 20,
    "sk-ant-" + "d" * 40, "sk-" + "e" * 48, "hf_" + "f" * 34, "xoxb-" + "1" * 12,
    "AIza" + "g" * 35, "npm_" + "h" * 36, "dapi" + "0" * 32,
    "eyJ" + "a" * 20 + ".eyJ" + "b" * 20 + "." + "c" * 20,
]  # fmt: skip


@pytest.mark.parametrize("token", TOKENS)
def test_tokens_of_known_shape_are_hidden_everywhere(token: str) -> None:
    for text in (token, f"x={token};", f'"{token}"', f"--flag={token}"):
        assert token not in scrub_text(text)
        assert token.encode() not in scrub_bytes(text.encode())
        assert not any(token in word for word in scrub_arguments(["run", text]))


@pytest.mark.parametrize(
    "name",
    ["password", "--password", "DB_PASSWORD", "api-key", "apiKey", "AWS_SECRET_ACCESS_KEY",
     "hf_token", "--token", "clientSecret", "private_key", "PGPASSWD"],
)  # fmt: skip
def test_names_of_secrets(name: str) -> None:
    assert is_secret_name(name)


@pytest.mark.parametrize(
    "name",
    ["tokenizer", "max-tokens", "pad_token", "--eos-token", "key", "sort-key", "primary_key",
     "lr", "AWS_ACCESS_KEY_ID", "secretary", "keyboard", "compass", "passes"],
)  # fmt: skip
def test_names_that_only_look_like_secrets(name: str) -> None:
    assert not is_secret_name(name)


def test_arguments_that_are_secrets_by_name() -> None:
    before = ["x", "--password", "p1", "--token=t1", "api_key=k1", "--lr", "0.1", "-p", "--secret"]
    after = [
        "x",
        "--password",
        "***",
        "--token=***",
        "api_key=***",
        "--lr",
        "0.1",
        "-p",
        "--secret",
    ]
    assert scrub_arguments(before) == after


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("postgres://bob:pw@db/x", "postgres://***@db/x"),
        ("https://tok@host/x?sig=abc&a=1", "https://***@host/x?sig=***&a=1"),
        ("s3://b/k?X-Amz-Signature=f00&x=1", "s3://b/k?X-Amz-Signature=***&x=1"),
        ("ssh://git@host/x", "ssh://git@host/x"),
        ("user@example.org", "user@example.org"),
        ("https://host/@scope/pkg", "https://host/@scope/pkg"),
    ],
)
def test_credentials_in_urls(before: str, after: str) -> None:
    assert scrub_text(before) == after


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("https://me:tok@example.org/a.git", "https://example.org/a.git"),
        ("https://tok@example.org/a.git", "https://example.org/a.git"),
        ("git@example.org:a/b.git", "git@example.org:a/b.git"),
        ("ssh://git:pw@example.org/a", "ssh://git@example.org/a"),
        ("/srv/repos/a", "/srv/repos/a"),
    ],
)
def test_remotes_without_credentials(before: str, after: str) -> None:
    assert scrub_remote(before) == after


def test_a_scrubbed_diff_still_applies(tmp_path: Path) -> None:
    def git(*words: str, data: bytes | None = None) -> bytes:
        command = ["git", "-c", "user.name=t", "-c", "user.email=t@example.org", *words]
        return subprocess.run(
            command, cwd=tmp_path, input=data, capture_output=True, check=True
        ).stdout

    binary, key = tmp_path / "b.bin", tmp_path / "key.txt"
    source = tmp_path / "a.py"
    source.write_text("x = 1\n")
    binary.write_bytes(bytes(range(256)) * 40)
    key.write_text("nothing\n")
    git("init", "-q")
    git("add", ".")
    git("commit", "-qm", "x")
    source.write_text(f"x = 2\nkey = '{TOKENS[0]}'\n")
    binary.write_bytes(bytes(reversed(range(256))) * 40)
    key.write_text("-----BEGIN RSA PRIVATE KEY-----\n" + "Ab1+/=" * 10 + "\n" + "Cd" * 20
                   + "\n-----END RSA PRIVATE KEY-----\n")  # fmt: skip
    diff = scrub_bytes(git("diff", "--binary"))
    assert TOKENS[0].encode() not in diff
    assert b"Ab1+/=Ab1" not in diff
    changed = binary.read_bytes()
    git("checkout", "-q", ".")
    git("apply", "-", data=diff)
    assert binary.read_bytes() == changed
    assert source.read_text() == "x = 2\nkey = '***'\n"


def test_parameters_of_a_command_line() -> None:
    assert parameters(
        ["--lr", "0.1", "-n", "3", "--shift", "-2.5e-3", "--fast", "--name=x=y", "+opt.lr=1e-3",
         "data.csv", "--tag", "a", "--tag", "b", "~gone=1", "2x=3", "--", "--not=1"]
    ) == {
        "lr": 0.1, "n": 3, "shift": -0.0025, "fast": True, "name": "x=y", "+opt.lr": 0.001,
        "tag": ["a", "b"], "~gone": 1,
    }  # fmt: skip


def test_numbers_that_are_texts_stay_texts() -> None:
    found = parameters(
        ["--a", "1_000", "--b", "nan", "--c", "1e999", "--d", "0x10", "--e", "9" * 30]
    )
    assert found == {"a": "1_000", "b": "nan", "c": "1e999", "d": "0x10", "e": "9" * 30}


def test_variables_are_recorded_by_list_only() -> None:
    environ = {"OMP_NUM_THREADS": "4", "HOME": "/h", "CUDA_TOKEN": "x", "RANK": "0", "OMPX": "1"}
    assert variables(environ, VARIABLES) == {
        "OMP_NUM_THREADS": "4", "RANK": "0", "CUDA_TOKEN": "***",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("command", "job", "after"),
    [
        ("python train.py --lr 1", "train.py", 2),
        ("python3.11 -W error -X dev -u train.py --lr 1", "train.py", 7),
        ("/usr/bin/python -m pkg.train --lr 1", "pkg.train", 3),
        ("python -mpkg.train --lr 1", "pkg.train", 2),
        ("python -c pass 1", "python", 3),
        ("torchrun --nproc 2 train.py --lr 1", "train.py", 4),
        ("env A=1 python train.py --lr 1", "train.py", 4),
        ("bash steps.sh a b", "steps.sh", 2),
        ("cat train.csv", "cat", 1),
    ],
)
def test_the_job_is_named_by_its_script(tmp_path: Path, command: str, job: str, after: int) -> None:
    for name in ("train.py", "steps.sh", "train.csv"):
        (tmp_path / name).touch()
    words = command.split()
    entry = entry_point(words, str(tmp_path))
    assert (job_name(words, entry, ""), entry.after) == (job, after)


def test_in_a_work_tree_the_job_is_named_by_the_path_in_it(tmp_path: Path) -> None:
    (tmp_path / "jobs").mkdir()
    (tmp_path / "jobs" / "train.py").touch()
    words = ["python", "../jobs/train.py"]
    entry = entry_point(words, str(tmp_path / "jobs"))
    assert job_name(words, entry, str(tmp_path)) == "jobs/train.py"
