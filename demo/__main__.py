"""``python -m demo``: play the story in ``demo-run/``; `lineage serve` opens what it leaves."""

from __future__ import annotations

import argparse
import sys
import time

from demo.stage import Stage
from demo.stores import chosen
from demo.story import CHAPTERS


def main() -> int:
    """Play every chapter; a step that does not go as told stops the demo with what it printed."""
    parser = argparse.ArgumentParser(prog="demo", description=__doc__)
    parser.add_argument("--store", default="sqlite", choices=["sqlite", "neo4j"])
    store = chosen(parser.parse_args().store)
    began = time.monotonic()
    stage = Stage.set(store)
    with stage:
        stage.open()
        for number, (title, chapter) in enumerate(CHAPTERS, start=1):
            stage.title(number, title)
            chapter(stage)
    stage.say(f"Done in {time.monotonic() - began:.0f} s.")
    told, first = store.farewell()
    stage.say(told or "Look around yourself:")
    for command in (
        *first,
        'export PATH="$PWD/.venv/bin:$PATH"',
        *(() if stage.home.name == ".lineage" else (f"export LINEAGE_HOME={stage.home.name}",)),
        "lineage serve                     then open its address in a browser",
        "lineage show model:tumour",
        "lineage owners show model:tumour",
        "lineage ledger verify",
    ):
        stage.hint(command)
    return 0


if __name__ == "__main__":
    sys.exit(main())
