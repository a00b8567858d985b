"""A project whose models are made again."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests import needs
from tests.e2e.reproduce.workshop import COUNT, Workshop


@pytest.fixture
def workshop(tmp_path: Path) -> Workshop:
    shop = Workshop(tmp_path.resolve() / "project")
    shop.root.mkdir()
    shop.write(".gitignore", "features/\nmodels/\n.lineage/\n")
    shop.write("job.py", COUNT)
    (shop.root / "models").mkdir()
    shop.git("init", "-q")
    shop.commit()
    shop.append(0)
    shop.append(40)
    return shop


@pytest.fixture(params=["namespaces", "in-process"])
def isolated(request: pytest.FixtureRequest, workshop: Workshop) -> Workshop:
    """The same in both isolations."""
    workshop.variables["LINEAGE_ISOLATION"] = request.param
    if request.param == "namespaces":
        from lineage.errors import IsolationError
        from lineage.reproduce.isolation import probe

        try:
            probe(workshop.root / ".lineage")
        except IsolationError as fault:
            needs.missing("namespaces", str(fault))
    return workshop
