"""Every error code has a page that says what to do, and every page has a code."""

from __future__ import annotations

import re
from pathlib import Path

from lineage import errors

ROOT = Path(__file__).parents[2]
PAGES = {path.stem: path for path in (ROOT / "docs" / "errors").glob("*.md")}
_LITERAL = re.compile(r"""\bcode(?::\s*[A-Za-z\[\]]+)?\s*=\s*["']([a-z]+(?:-[a-z0-9]+)*)["']""")


def _codes() -> dict[str, str]:
    found: dict[str, str] = {}
    for name, value in vars(errors).items():
        if isinstance(value, type) and issubclass(value, errors.LineageError):
            found[value.code] = name
    for path in (ROOT / "lineage").rglob("*.py"):
        for code in _LITERAL.findall(path.read_text(encoding="utf-8")):
            found.setdefault(code, str(path.relative_to(ROOT)))
    return found


def test_every_code_has_a_page() -> None:
    missing = {code: where for code, where in _codes().items() if code not in PAGES}
    assert not missing


def test_every_page_has_a_code_and_says_what_to_do() -> None:
    codes = _codes()
    assert len(codes) > 20
    for code, path in PAGES.items():
        text = path.read_text(encoding="utf-8")
        assert code in codes, f"{path.name}: nothing raises it"
        assert text.startswith(f"# {code}"), path.name
        assert "## What to do" in text, path.name


def test_errors_are_one_tree_with_stable_names() -> None:
    for name, value in vars(errors).items():
        if isinstance(value, type) and issubclass(value, Exception):
            assert issubclass(value, errors.LineageError), name
            assert name.endswith("Error"), name
            assert re.fullmatch(r"[a-z]+(-[a-z0-9]+)*", value.code), value.code
            assert value.exit_status != 0
