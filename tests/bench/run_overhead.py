"""What `lineage run` costs a real training script: interleaved pairs, medians.

    python -m tests.bench.run_overhead [pairs]

The script reads a Delta table and a CSV, fits a forest, and writes the model. Plain and watched
runs alternate, so that a slow moment of the machine meets both; what is added is the median of the
differences within a round. Besides the whole: processor time, how much later the job's first line
runs, and how much longer after its last line the command returns.
"""

from __future__ import annotations

import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from tests.bench.table import show

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


def processor() -> float:
    """Seconds of processor time of all children so far."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def once(folder: Path, way: list[str]) -> tuple[float, float, float, float]:
    """Seconds: the whole, of a processor, until the script begins, after it has ended."""
    used = processor()
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
    return end - start, processor() - used, began - start, end - finished


def main() -> None:
    """Measure and print a table."""
    pairs = int(sys.argv[1]) if len(sys.argv) > 1 else PAIRS
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        prepare(folder)
        for way in WAYS.values():
            once(folder, way)  # compiles, warms the file cache
        rounds = [{name: once(folder, way) for name, way in WAYS.items()} for _ in range(pairs)]
    rows = []
    for name in WAYS:
        whole = statistics.median(row[name][0] for row in rounds)
        added = [
            statistics.median(row[name][n] - row["plain"][n] for row in rounds) for n in range(4)
        ]
        share = added[0] / (whole - added[0])
        rows.append([name, f"{whole:.3f}", f"{share:+.1%}", *(f"{one:+.3f}" for one in added)])
    show(
        f"A training script under `lineage run`, {pairs} interleaved rounds, median seconds",
        ("", "whole", "", "added", "processor", "before its first line", "after its last"),
        rows,
    )


if __name__ == "__main__":
    main()
