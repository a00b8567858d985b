"""What `lineage run` costs a real training script: interleaved pairs, medians.

    python tests/bench/run_overhead.py [pairs]

The script reads a Delta table and a CSV, fits a forest, and writes the model. Plain and watched
runs alternate, so that a slow moment of the machine meets both. Besides the whole: how much later
the job's first line runs, and how long after its last line the command returns.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

PAIRS = 15
WAYS = {
    "plain": [],
    "watched": [sys.executable, "-m", "lineage", "run", "-q", "--"],
    "watched, spool only": [sys.executable, "-m", "lineage", "run", "-q", "--no-deliver", "--"],
    "watched, no preload": [sys.executable, "-m", "lineage", "run", "-q", "--no-preload", "--"],
}
SCRIPT = """
import time; begin = time.time()
import joblib, pandas as pd
from deltalake import DeltaTable
from sklearn.ensemble import RandomForestClassifier
table = DeltaTable("features").scan().read_all()
frame = pd.DataFrame({name: table.column(name).to_numpy() for name in table.column_names})
labels = pd.read_csv("labels.csv")["label"]
model = RandomForestClassifier(n_estimators=120, random_state=0, n_jobs=1).fit(frame, labels)
joblib.dump(model, "model.joblib")
print(begin, time.time())
"""


def prepare(folder: Path) -> None:
    """The digits of scikit-learn as a Delta table in eight commits, labels as CSV."""
    import pandas as pd
    from deltalake import write_deltalake
    from sklearn.datasets import load_digits

    digits = load_digits(as_frame=True)
    rows = len(digits.data)
    for n in range(8):
        part = digits.data.iloc[n * rows // 8 : (n + 1) * rows // 8]
        write_deltalake(folder / "features", part.reset_index(drop=True), mode="append")
    pd.DataFrame({"label": digits.target}).to_csv(folder / "labels.csv", index=False)
    (folder / "train.py").write_text(SCRIPT)


def once(folder: Path, way: list[str]) -> tuple[float, float, float]:
    """Seconds: the whole, until the script begins, after it has ended."""
    home = {"LINEAGE_HOME": str(folder / "lineage")}
    start = time.time()
    done = subprocess.run(
        [*way, sys.executable, "train.py"],
        cwd=folder,
        env={**os.environ, **home},
        stdout=subprocess.PIPE,
        check=True,
        text=True,
    )
    end = time.time()
    began, finished = map(float, done.stdout.split())
    return end - start, began - start, end - finished


def main() -> None:
    """Measure and print a table."""
    pairs = int(sys.argv[1]) if len(sys.argv) > 1 else PAIRS
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        prepare(folder)
        taken: dict[str, list[tuple[float, float, float]]] = {name: [] for name in WAYS}
        for name, way in WAYS.items():
            once(folder, way)  # compiles, warms the file cache
            taken[name].clear()
        for _ in range(pairs):
            for name, way in WAYS.items():
                taken[name].append(once(folder, way))
    base = [statistics.median(column) for column in zip(*taken["plain"], strict=True)]
    print(f"median of {pairs} interleaved rounds, seconds")
    print(f"{'':<22}{'whole':>8}{'added':>8}{'':>8}{'before':>8}{'after':>8}")
    for name, rows in taken.items():
        whole, before, after = (statistics.median(column) for column in zip(*rows, strict=True))
        more = whole - base[0]
        print(
            f"{name:<22}{whole:>8.3f}{more:>+8.3f}{more / base[0]:>+8.1%}"
            f"{before - base[1]:>+8.3f}{after - base[2]:>+8.3f}"
        )


if __name__ == "__main__":
    main()
