"""Make the feature table and let it grow. An ordinary script: it knows nothing of Lineage."""

import sys

import pandas as pd
from deltalake import DeltaTable, write_deltalake
from sklearn.datasets import load_breast_cancer

TABLE = "features/tumours"


def rows(start: int, end: int) -> pd.DataFrame:
    """Real measurements of tumours that scikit-learn ships (Wisconsin, 569 patients)."""
    data = load_breast_cancer(as_frame=True)
    frame = data.data.iloc[start:end, :8].copy()
    frame.columns = [name.replace(" ", "_") for name in frame.columns]
    frame.insert(0, "patient", range(start, end))
    frame["malignant"] = (data.target.iloc[start:end] == 0).astype("int64").to_numpy()
    return frame


def create() -> None:
    """Version 0."""
    write_deltalake(TABLE, rows(0, 100))


def append() -> None:
    """Version 1: more patients."""
    write_deltalake(TABLE, rows(100, 250), mode="append")


def update() -> None:
    """Version 2: a measurement is corrected."""
    DeltaTable(TABLE).update(predicate="patient = 3", updates={"mean_radius": "11.42"})


def overwrite() -> None:
    """Version 3: everything is loaded again."""
    write_deltalake(TABLE, rows(0, 400), mode="overwrite")


def widen() -> None:
    """Version 4: more patients, and a new column."""
    wider = rows(400, 520)
    wider["age"] = 40 + wider["patient"] % 40
    write_deltalake(TABLE, wider, mode="append", schema_mode="merge")


def delete() -> None:
    """Version 5: a patient withdraws."""
    DeltaTable(TABLE).delete(predicate="patient = 17")


def more() -> None:
    """Version 6: the table moves on."""
    write_deltalake(TABLE, rows(520, 569), mode="append", schema_mode="merge")


def replace() -> None:
    """Version 7: everything is replaced."""
    write_deltalake(TABLE, rows(0, 300), mode="overwrite", schema_mode="overwrite")


STEPS = [create, append, update, overwrite, widen, delete, more, replace]

for wanted in sys.argv[1:]:
    next(step for step in STEPS if step.__name__ == wanted)()
    print(f"{wanted}: {TABLE} is at version {DeltaTable(TABLE).version()}")
