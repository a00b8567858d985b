"""The hook works in any Python that a job may use, and harms none that is too old for it."""

from __future__ import annotations

import json
import os
import shutil
import sys
from pathlib import Path
from typing import Any

import pytest

VERSIONS = ("2.7", "3.6", "3.7", "3.8", "3.9", "3.10", "3.11", "3.12", "3.13", "3.14")


def interpreter(version: str) -> str | None:
    """On the PATH, or one that a version manager keeps."""
    kept = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv"), "versions")
    places = sorted(kept.glob(f"{version}.*/bin/python"))
    return str(places[-1]) if places else shutil.which(f"python{version}")


CODE = """
import json, os, sys
open('out.txt', 'w').write(open('in.txt').read())
print(json.dumps([sys.version_info[:2], [p for p in sys.path if 'inject' in p]]))
"""


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("preload", [True, False])
def test_every_python(box: Any, version: str, preload: bool) -> None:
    python = interpreter(version)
    if python is None:
        pytest.skip(f"no Python {version} here")
    if preload and not sys.platform.startswith("linux"):
        pytest.skip("preloading is for Linux")
    numbers = tuple(map(int, version.split(".")))
    box.write("in.txt", "x")
    box.write("job.py", CODE)
    options = ("--no-deliver",) if preload else ("--no-deliver", "--no-preload")
    ran = box.run(python, "job.py", options=options)
    assert ran.code == 0, ran.err
    assert "Error" not in ran.err
    assert "sitecustomize" not in ran.err
    assert json.loads(ran.out) == [list(numbers), []]
    if preload or numbers >= (3, 8):
        assert set(ran.uses()) == {"in.txt"}
        assert set(ran.outputs()) == {"out.txt"}
    if numbers >= (3, 8):
        assert f" {version}." in ran.finished["environment"]["version"]
