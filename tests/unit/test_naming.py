"""Names: one normalisation in one place."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lineage.model.naming import display_name, kind_of_path, normalise, terms_of


@pytest.mark.parametrize(("given_name", "wanted"), [
    (("s3a://lake", "features/tx/"), ("s3://lake", "features/tx")),
    (("s3n://lake/", "/x"), ("s3://lake", "/x")),
    (("S3://Lake", "x"), ("s3://Lake", "x")),
    (("postgres://db:5432", "a.b.c"), ("postgres://db", "a.b.c")),
    (("postgres://db:5433", "a.b.c"), ("postgres://db:5433", "a.b.c")),
    (("hdfs://nn:8020/", "/data//x"), ("hdfs://nn", "/data//x")),
    (("file", "/lake//tx/"), ("file", "/lake/tx")),
    (("file", "/lake/./tx"), ("file", "/lake/tx")),
    (("file://", "/lake/tx"), ("file", "/lake/tx")),
    (("file:///", "/lake/tx"), ("file", "/lake/tx")),
    (("file:", "/lake/tx"), ("file", "/lake/tx")),
    (("file://localhost", "/lake/tx"), ("file", "/lake/tx")),
    (("file", "file:///lake/tx"), ("file", "/lake/tx")),
    (("file", "/"), ("file", "/")),
    (("bigquery", "project.dataset.table"), ("bigquery", "project.dataset.table")),
    (("fst", "driver_stats"), ("fst", "driver_stats")),
    (("file://host/share", "/x"), ("file://host/share", "/x")),
])  # fmt: skip
def test_spellings_of_one_name(given_name: tuple[str, str], wanted: tuple[str, str]) -> None:
    assert normalise(*given_name) == wanted


@given(st.text(max_size=20), st.text(max_size=20))
def test_normalising_again_changes_nothing(namespace: str, name: str) -> None:
    once = normalise(namespace, name)
    assert normalise(*once) == once


def test_paths_tell_kinds() -> None:
    assert kind_of_path("/models/churn.joblib") == "model"
    assert kind_of_path("/models/Net.SafeTensors") == "model"
    assert kind_of_path("/data/x.csv") is None
    assert display_name("/models/churn.joblib", "model") == "churn"
    assert display_name("/lake/features/tx", "table") == "features/tx"


def test_what_an_id_is_found_by() -> None:
    names, tokens = terms_of("artifact:file,/lake/Models/churn_v2.joblib")
    assert "churn_v2" in names
    assert {"lake", "models", "churn", "v2", "joblib"} == set(tokens)
    assert terms_of("run:n,j,ABC") == (("abc",), ())
    assert terms_of("artifact:file,/x@sha256.00") == ((), ())
