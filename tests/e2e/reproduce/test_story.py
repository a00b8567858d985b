"""Run, move on, check, run again: the story."""

from __future__ import annotations

from deltalake import DeltaTable

from tests.e2e.reproduce.workshop import COUNT, TRAIN, Workshop, findings


def test_a_model_is_the_same_bytes_on_the_table_as_it_was(isolated: Workshop) -> None:
    isolated.write("job.py", TRAIN)
    isolated.commit()
    isolated.run()
    isolated.append(100)
    isolated.overwrite()
    before = isolated.real()

    checked = isolated.check("model:fraud")
    assert checked["verdict"] == "REPRODUCIBLE"
    assert findings(checked) == {("NOTE", "table")}
    done = isolated.reproduce("model:fraud")

    assert done["verdict"] == "IDENTICAL", done
    assert done["isolation"].startswith(isolated.variables["LINEAGE_ISOLATION"])
    assert isolated.real() == before
    assert list((isolated.root / ".lineage/reproductions").iterdir()) == []


def test_the_verdict_is_recorded_unless_it_is_not_to_be(workshop: Workshop) -> None:
    workshop.run()
    workshop.reproduce("models/fraud.json", "--no-record")
    assert workshop.recorded("reproduction.finished") == []
    done = workshop.reproduce("models/fraud.json")
    (change,) = workshop.recorded("reproduction.finished")
    assert change["verdict"] == "IDENTICAL"
    assert (change["subject"], change["run"]) == (done["subject"], done["run"])
    assert (change["isolation"], change["preflight"]) == (done["isolation"], "REPRODUCIBLE")
    assert [output["state"] for output in change["outputs"]] == ["IDENTICAL"]


def test_a_vacuum_loses_what_is_not_pinned_and_only_that(isolated: Workshop) -> None:
    isolated.run()
    isolated.overwrite()
    isolated.lineage("pin", "models/fraud.json")
    isolated.write("job.py", COUNT.replace("fraud.json", "other.json"))
    isolated.commit()
    isolated.append(7)
    isolated.run()
    isolated.overwrite()
    DeltaTable(isolated.table).vacuum(0, dry_run=False, enforce_retention_duration=False)

    assert isolated.reproduce("models/fraud.json")["verdict"] == "IDENTICAL"
    lost = isolated.check("models/other.json", expect=2)
    assert lost["verdict"] == "LOST"
    (gone,) = [one for one in lost["findings"] if one["effect"] == "LOST"]
    assert gone["what"] == "table"
    assert gone["missing"] == len(gone["files"]) > 0
    assert all(name.endswith(".parquet") for name in gone["files"])
    assert len(gone["since"]) == 1  # one vacuum is in the log
    refused = isolated.reproduce("models/other.json", expect=2)
    assert refused["verdict"] == "LOST"
    assert gone["detail"] in refused["reason"]
    assert gone["subject"] in refused["reason"]
    said = isolated.lineage("check", "models/other.json", expect=2).stdout
    assert [said.count(name) for name in gone["files"]] == [1] * gone["missing"]
    assert "isolation" not in refused
