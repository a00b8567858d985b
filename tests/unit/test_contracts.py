from __future__ import annotations

import pytest

from lineage.contracts import schema_names, schema_text


def test_a_contract_is_found_by_its_path() -> None:
    assert "CREATE TABLE entry" in schema_text("graph/sqlite/0001_store.sql")


def test_contracts_of_a_folder_are_listed_in_order() -> None:
    names = schema_names("graph/sqlite")
    assert names == sorted(names)
    assert "0001_store.sql" in names


def test_a_missing_contract_is_an_error() -> None:
    with pytest.raises(FileNotFoundError):
        schema_text("graph/sqlite/9999_nothing.sql")
