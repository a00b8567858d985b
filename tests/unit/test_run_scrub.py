"""Secrets do not reach the record; what only looks like one stays."""

from __future__ import annotations

import subprocess
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lineage.capture.run.commandline import entry_point, job_name
from lineage.capture.run.gitstate import scrub_remote
from lineage.capture.run.parameters import VARIABLES, parameters, variables
from lineage.capture.run.plan import make_plan
from lineage.capture.run.report import started_item
from lineage.capture.run.scrub import scrub_arguments, scrub_path, scrub_text
from lineage.capture.run.scrub_source import scrub_bytes
from lineage.capture.run.secret_names import is_secret_name

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


SECRET = "s3cRetV4lue"


def shapes_of(secret: str) -> list[list[str]]:
    """Arguments that hold a secret, in every shape that is known."""
    return [
        [f"postgresql://u:{secret}@h/db?sslpassword=x"],
        [f"postgresql://u@h/db?sslpassword={secret}"],
        [f"https://u:{secret}@h/?token=abc"],
        ["--conf", f"spark.secret.key={secret}"],
        ["--conf", f"fs.azure.account.key.me.dfs.core.windows.net={secret}"],
        ["--set", f"db.password={secret}"],
        ["-e", f"PASSWORD={secret}"],
        [f"--env=PASSWORD={secret}"],
        ["-password", f"-{secret}"],
        ["--token", f"--{secret}"],
        ["sh", "-c", f"PGPASSWORD={secret} true; true --password={secret}"],
        ["sh", "-c", f"true --password {secret}; mysql --password='{secret}' x"],
        ["sh", "-c", f"curl -u user:{secret} https://h"],
        [f"postgres://u:p@{secret}@h"],
        [f"postgres://u:pa/{secret}@h"],
        ["-H", f"Authorization: Bearer {secret}"],
        [f"Authorization: Basic {secret}"],
        ["Authorization:", "Bearer", secret],
        ["curl", "-u", f"user:{secret}"],
        ["curl", f"--user=user:{secret}"],
        [f'{{"user":"x","password":"{secret}"}}'],
        [f'--data={{"a":[{{"pass\\u0077ord":"{secret}"}}]}}'],
        ["sh", "-c", f'curl -d \'{{"password":"{secret}"}}\' h'],
        ["--passwords", secret],
        ["--tokens", secret],
        ["--secretkey", secret],
        ["--bearer", secret],
        [f"DefaultEndpointsProtocol=https;AccountName=a;AccountKey={secret};EndpointSuffix=x"],
        [f"-Dtoken={secret}"],
        [f"--opts=-Xmx1g -Djavax.password={secret} -Da=b"],
        ["-passin", f"pass:{secret}"],
        [f"password='{secret} {secret}'"],
    ]


@pytest.mark.parametrize("arguments", shapes_of(SECRET), ids=lambda words: " ".join(words)[:60])
def test_a_secret_argument_is_in_no_command_and_no_parameter(arguments: list[str]) -> None:
    assert SECRET not in str(scrub_arguments(arguments))
    assert SECRET not in str(parameters(arguments))
    assert SECRET not in str(parameters(scrub_arguments(arguments)))


@given(
    st.lists(st.sampled_from(range(len(shapes_of("")))), min_size=1, max_size=6),
    st.text("abcXYZ0189+/=._~", min_size=6, max_size=20).map(lambda text: f"q{text}7z"),
    st.lists(st.sampled_from(["--fast", "train", "lr=0.1", "--max-tokens=3"]), max_size=3),
)
def test_no_composition_shows_the_secret(which: list[int], secret: str, others: list[str]) -> None:
    arguments = [word for n in which for word in [*shapes_of(secret)[n], *others]]
    assert secret not in "\0".join(scrub_arguments(arguments))
    assert secret not in str(parameters(arguments))


@pytest.mark.parametrize(
    "arguments",
    [
        ["--tokenizer", "bert"], ["--max-tokens", "512"], ["key=lr"], ["--pad-token", "<pad>"],
        ["--use-auth-token", "--lr", "0.1"], ["--num-tokens=3"], ["--sort-key", "name"],
        ["docker", "-u", "1000:1000"], ["sh", "-c", "sort < a.txt | uniq > b.txt; cp b c"],
        ["http://host:8080/@scope/pkg"], ["https://h/x?a=1&b=2"], ['{"lr": 0.1, "key": "a"}'],
        ["s3://bucket/a=1/b=2"], ["--password-file", "/run/pw"], ["--passes", "3"],
        ["--conf", "spark.executor.memory=4g"], ["sh", "-c", "mysql --password=$PW"],
        ["--author", "Me <me@example.org>"], ["git@example.org:a/b.git"], ["--basic", "usage"],
        ["python", "-c", "token = next(it); print(token)"], ["x==y"], ["a:b:c"], ["--"],
    ],
    ids=lambda words: " ".join(words)[:60],
)  # fmt: skip
def test_ordinary_arguments_stay(arguments: list[str]) -> None:
    assert scrub_arguments(arguments) == arguments


@pytest.mark.parametrize(
    ("name", "line"),
    [
        ("a.py", "password = '{}'"), ("a.py", 'password: str = "{}"'), ("a.py", "d(password='{}')"),
        ("a.py", 'D = {{"api_key": "{}"}}'), ("a.py", 'os.environ["DB_PASSWORD"] = "{}"'),
        ("a.py", 'x = "postgres://u:pa/{}@h"'), ("a.py", 'x = "postgres://u:p@{}@h/db"'),
        ("a.py", 'c = "AccountName=a;AccountKey={};E=x"'), ("a.py", 'run("x --password={}")'),
        ("a.py", "secret = '''{}'''"), ("a.js", 'const x = {{password: "{}"}}'),
        ("a.yaml", "password: {}"), ("a.ini", "secret = {}"), (".env", "TOKEN={}"),
        ("a.sh", "PGPASSWORD={} psql"), ("a.json", '"password": "{}",'),
        ("a.py", "h = {{'Authorization': 'Bearer {}'}}"),
    ],
)  # fmt: skip
def test_secrets_in_source_and_diffs(name: str, line: str) -> None:
    text = f"x = 1\n{line.format(SECRET)}\ny = 2\n"
    assert SECRET not in scrub_bytes(text.encode(), name).decode()
    diff = f"diff --git a/{name} b/{name}\n--- a/{name}\n+++ b/{name}\n@@ -1 +1 @@\n+{text}"
    clean = scrub_bytes(diff.encode()).decode()
    assert SECRET not in clean
    assert clean.count("\n") == diff.count("\n")


@pytest.mark.parametrize(
    "line",
    ["password = ask()", "token = tokens[0]", 'pad_token = "[PAD]"', 'token = "<s>"',
     "f(token=token)",
     'u = f"postgres://{user}:{password}@{host}/db"', 'add("--password", default=None)',
     'password = ""', 'password = os.environ["DB_PASSWORD"]', 'url = "http://h:80/@a/b"',
     'if password == "x": pass', 'k = f"--token={token}"', "key = 'lr'"],
)  # fmt: skip
def test_source_that_holds_no_secret_still_runs(line: str) -> None:
    assert scrub_bytes(line.encode(), "a.py") == line.encode()


def test_variables_names_and_paths() -> None:
    assert SECRET not in str(variables({"TORCH_X": f"Bearer {SECRET}"}, VARIABLES))
    assert SECRET not in str(variables({"PATH": f"/a:https://u:{SECRET}@h/"}, VARIABLES))
    assert scrub_path(f"/out/password={SECRET}/a.csv") == "/out/password=***/a.csv"
    assert scrub_path("/lake/token=ETH/key=1/a.csv") == "/lake/token=ETH/key=1/a.csv"
    assert scrub_remote(f"https://u:p@{SECRET}@h/a.git") == "https://h/a.git"
    plan = make_plan(
        ["true"], job=f"https://u:{SECRET}@h/job", parent=f"ns,https://u:{SECRET}@h/j,1"
    )
    assert (plan.job, plan.parent) == ("https://***@h/job", ("ns", "https://***@h/j", "1"))


def test_a_long_argument_is_scrubbed_before_it_is_cut() -> None:
    plan = make_plan(["true", f"https://u:{SECRET}{'x' * 10_000}@h/"])
    body = started_item(plan, person=None, hardware={}).body
    assert SECRET.encode() not in body


@pytest.mark.parametrize(
    "text",
    ["password", "a.", "://", "://a:", "token=", "--token ", "-", "\\", 'password="', "?token",
     "a=", "password:[", "x://u:p@", "{{", "'", 'password=\\"', "diff --git ", "curl -u "],
)  # fmt: skip
def test_time_grows_with_the_text(text: str) -> None:
    long = text * (200_000 // len(text))
    began = time.process_time()
    scrub_text(long)
    scrub_bytes(long.encode(), "a.yaml")
    scrub_bytes(long.encode(), "a.sh")
    scrub_arguments([long])
    assert time.process_time() - began < 8
