"""Run, move on, check, run again: verdicts."""

from __future__ import annotations

from pathlib import Path

from tests.e2e.reproduce.workshop import Workshop


def test_what_differs_is_named(isolated: Workshop) -> None:
    isolated.write(
        "job.py",
        """
        import json, random
        value = {"loss": [0.5, 0.25 + random.random() * 1e-9], "name": "model"}
        json.dump(value, open("models/m.json", "w"))
    """,
    )
    isolated.commit()
    isolated.run()
    done = isolated.reproduce("models/m.json", expect=1)
    assert done["verdict"] == "DIFFERENT"
    assert done["outputs"][0]["difference"]["pointer"] == "/loss/1"
    assert isolated.reproduce("models/m.json", "--tolerance", "1e-6")["verdict"] == "EQUIVALENT"


def test_a_program_that_fails_now_is_a_failure_with_what_it_said(isolated: Workshop) -> None:
    isolated.write(
        "job.py",
        """
        import os, socket
        try:
            with socket.create_server(("127.0.0.1", 0)) as server:
                pass
            peer = socket.create_connection(("127.0.0.1", int(open("models/port").read())))
        except OSError as fault:
            raise SystemExit(f"no network here: {fault}")
        open("models/out.txt", "w").write("done")
    """,
    )
    isolated.commit()
    import socket

    with socket.create_server(("127.0.0.1", 0)) as server:
        (isolated.root / "models/port").write_text(str(server.getsockname()[1]))
        isolated.run()
        done = isolated.reproduce("models/out.txt", expect=2)
        assert done["verdict"] == "FAILED"
        assert "no network here" in done["stderr"]
        assert isolated.reproduce("models/out.txt", "--allow-network")["verdict"] == "IDENTICAL"


def test_a_program_that_takes_too_long_is_stopped(isolated: Workshop) -> None:
    isolated.write(
        "job.py",
        """
        import os, time
        if "LINEAGE_RUN_ID" not in os.environ:
            time.sleep(600)
        open("models/out.txt", "w").write("x")
    """,
    )
    isolated.commit()
    isolated.run()
    done = isolated.reproduce("models/out.txt", "--timeout", "1", expect=2)
    assert done["verdict"] == "FAILED"
    assert "longer than allowed" in done["reason"]


def test_a_program_that_skips_finished_work_does_it_again(isolated: Workshop) -> None:
    isolated.write(
        "job.py",
        """
        import os
        if os.path.exists("models/out.txt"):
            raise SystemExit(3)
        open("models/out.txt", "w").write("done")
        os.makedirs("models/deep/er", exist_ok=True)
        open("models/deep/er/part", "w").write("part")
        os.replace("models/deep/er/part", "models/deep/er/whole")
        open("models/temporary", "w").write("x")
        os.unlink("models/temporary")
    """,
    )
    isolated.commit()
    isolated.run()
    (isolated.root / "models/temporary").write_text("of somebody else")
    before = isolated.real()
    run = isolated.check("models/out.txt")["run"]
    assert isolated.reproduce(run)["verdict"] == "IDENTICAL"
    assert isolated.real() == before


def test_a_table_that_was_written_is_compared_by_its_rows(isolated: Workshop) -> None:
    isolated.write(
        "job.py",
        """
        import pyarrow as pa
        from deltalake import DeltaTable, write_deltalake
        rows = pa.table(DeltaTable("features/tx").scan())
        write_deltalake("features/doubled", rows)
        write_deltalake("features/tx", rows.slice(0, 5), mode="append")
    """,
    )
    isolated.commit()
    isolated.run()
    isolated.append(900)
    before = isolated.real()
    run = isolated.check("table:features/doubled")["run"]
    done = isolated.reproduce(run)
    assert done["verdict"] == "EQUIVALENT", done
    assert {output["detail"] for output in done["outputs"]} == {"the same rows"}
    assert len(done["outputs"]) == 2
    assert isolated.real() == before


def test_the_scratch_space_can_be_kept(isolated: Workshop) -> None:
    isolated.run()
    done = isolated.reproduce("models/fraud.json", "--keep", "--verbose")
    kept = Path(done["scratch"])
    assert list(kept.rglob("fraud.json"))
    assert done["stdout"] == ""
