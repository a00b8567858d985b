"""The chapters: each does one thing for real, checks that it went as told, and says so."""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Callable
from pathlib import Path

from demo.stage import ROOT, Stage

MODEL = "models/tumour.joblib"
TABLE = "features/tumours"

UPSTREAM = """{
  lineage(id: "model:tumour", direction: UPSTREAM, first: 200) {
    nodes { node { id displayName kind } depth }
    completeness { complete truncated position gaps { reason } }
  }
}"""


def a_table_that_grows(stage: Stage) -> None:
    """A Delta table through five versions; its own log is all that is read."""
    for script in ("train.py", "features.py"):
        shutil.copy(ROOT / "demo" / script, stage.work / script)
    if shutil.which("git"):
        for command in (
            "git init -q",
            "git add train.py features.py",
            "git -c user.name=Ann -c user.email=ann@example.invalid commit -qm 'Train on tumours'",
        ):
            stage.run(command, quiet=True)
        with (stage.work / "train.py").open("a", encoding="utf-8") as file:
            file.write("# tried 30 trees: no better\n")
        stage.say("The code is in git, with one change that nobody committed.")
    stage.run("python features.py create append update overwrite")
    stage.say("Nobody watched these four commits. The table's own log tells them:")
    stage.run(f"lineage watch delta {TABLE} --once")
    stage.say("The next two are made under watch: the scripts stay as they are.")
    stage.run("lineage run -- python features.py widen delete")


def a_training_run(stage: Stage) -> None:
    """A model is trained by an ordinary script."""
    stage.say("train.py imports nothing of ours and does not know of us.")
    stage.run("lineage run -- python train.py --trees 20 --seed 7")


def the_whole_upstream(stage: Stage) -> None:
    """The table moves on; the answer does not."""
    stage.say("The table moves on; what the model was trained on does not.")
    stage.run("lineage run -- python features.py more")
    stage.run("lineage show model:tumour")
    stage.serve()
    stage.say(f"The same over GraphQL, at {stage.url}/graphql:")
    for line in UPSTREAM.splitlines():
        print(f"     > {line}")
    answer = stage.graphql(UPSTREAM)["lineage"]
    for item in answer["nodes"]:
        node = item["node"]
        print(f"     | {item['depth']}  {node['kind'] or '-':<12} {node['id']}")
    print(f"     | {answer['completeness']}")
    kinds = {item["node"]["kind"] for item in answer["nodes"]}
    if not {"model", "table", "code", "environment"} <= kinds:
        raise SystemExit(f"the upstream lacks something: {kinds}")


def a_gate(stage: Stage) -> None:
    """Nothing unowned ships."""
    gate = f"lineage gate deploy model:tumour{_policy(stage)}"
    stage.say("Nobody answers for the model or its table, so the gate denies, naming each:")
    stage.run(gate, expect=1)
    stage.say("One owner is assigned to the model, one to everything under features/ by a pattern:")
    stage.run("lineage owners claim model:tumour team:oncology")
    stage.run(f"lineage owners claim --scope file '{stage.work}/features/**' team:data")
    stage.say("An assignment counts when the team has accepted it.")
    stage.run("lineage owners accept model:tumour team:oncology")
    stage.run(f"lineage owners accept --scope file '{stage.work}/features/**' team:data")
    stage.run(gate)
    stage.say("Both decisions are in the record, with the evidence they saw:")
    entries = stage.ask_json("lineage ledger list --limit 1000")
    decided = [entry for entry in entries if entry["kind"] == "gate.decided"]
    stage.show("\n".join(f"{e['seq']:>4}  {e['kind']}  {e['recorded_at']}" for e in decided))
    if len(decided) != 2:
        raise SystemExit(f"{len(decided)} decisions in the record, not 2")


def _policy(stage: Stage) -> str:
    """The default policy, or where capture could not see everything one that lives with it."""
    if stage.all_seen:
        return ""
    stage.say(
        "There is no C compiler here, so capture saw what Python opened and recorded the rest as "
        "a gap. A gate cannot decide over a gap, unless a policy says that one lives with it:"
    )
    default = (ROOT / "lineage" / "ownership" / "default-policy.yaml").read_text("utf-8")
    policy = default.replace("accept_gaps: []", "accept_gaps: [no-preload]")
    (stage.work / "policy.yaml").write_text(policy, encoding="utf-8")
    return " --policy policy.yaml"


def the_same_model_again(stage: Stage) -> None:
    """The unmodified script on the table as it was: the same bytes."""
    before = _fingerprints(stage.work)
    stage.run("lineage check model:tumour", expect=_reproducible(stage))
    stage.run("lineage reproduce model:tumour")
    if _fingerprints(stage.work) != before:
        raise SystemExit("the reproduction touched the real model or table")
    stage.say("The real model file and the real table were not touched.")


def a_careless_vacuum(stage: Stage) -> None:
    """What is pinned stays; what is not is reported lost."""
    stage.say("The version that the model was trained on is pinned.")
    stage.run("lineage pin model:tumour")
    stage.say("Then somebody trains another model on the newest version, which nobody pins,")
    shutil.copy(stage.work / "train.py", stage.work / "train_other.py")
    script = stage.work / "train_other.py"
    script.write_text(script.read_text().replace(MODEL, "models/other.joblib"))
    stage.run("lineage run -- python train_other.py --trees 5 --seed 1")
    stage.say("the table is replaced, and vacuumed without a thought by another tool:")
    stage.run("python features.py replace", quiet=True)
    stage.run(
        "python -c 'from deltalake import DeltaTable; "
        f'print(len(DeltaTable("{TABLE}").vacuum(0, dry_run=False, '
        'enforce_retention_duration=False)), "files deleted")\''
    )
    stage.say("The pinned model can still be made again:")
    stage.run("lineage check model:tumour", expect=_reproducible(stage))
    stage.run("lineage reproduce model:tumour")
    stage.say("The other is lost, and it says which files are gone:")
    stage.run("lineage check model:other", expect=2)


def _reproducible(stage: Stage) -> int:
    """Exit code of a check: DEGRADED (1) where capture could not see everything."""
    return 0 if stage.all_seen else 1


def _fingerprints(work: Path) -> dict[str, tuple[str, int]]:
    return {
        str(path): (hashlib.sha256(path.read_bytes()).hexdigest(), path.stat().st_mtime_ns)
        for place in ("models", "features")
        for path in sorted((work / place).rglob("*"))
        if path.is_file()
    }


CHAPTERS: list[tuple[str, Callable[[Stage], None]]] = [
    ("A feature table grows through five versions", a_table_that_grows),
    ("A model is trained by a script that knows nothing of us", a_training_run),
    ("What was it made from?", the_whole_upstream),
    ("May it ship?", a_gate),
    ("Can it be made again?", the_same_model_again),
    ("A careless vacuum", a_careless_vacuum),
]
