"""Train a classifier on the feature table. An ordinary script: it knows nothing of Lineage."""

import argparse
from pathlib import Path

import joblib
import pyarrow as pa
from deltalake import DeltaTable
from sklearn.ensemble import RandomForestClassifier
from sklearn.model_selection import train_test_split

parser = argparse.ArgumentParser()
parser.add_argument("--trees", type=int, default=20)
parser.add_argument("--seed", type=int, default=7)
options = parser.parse_args()

rows = pa.table(DeltaTable("features/tumours").scan()).to_pandas().sort_values("patient")
features = rows.drop(columns=["patient", "malignant"]).fillna(0.0)
train_x, test_x, train_y, test_y = train_test_split(
    features, rows["malignant"], random_state=options.seed
)
model = RandomForestClassifier(n_estimators=options.trees, random_state=options.seed)
model.fit(train_x, train_y)
Path("models").mkdir(exist_ok=True)
joblib.dump(model, "models/tumour.joblib")
print(f"{len(rows)} rows, accuracy {model.score(test_x, test_y):.3f} -> models/tumour.joblib")
