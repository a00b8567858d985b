"""``make bench``: every benchmark, as Markdown tables. Name some to run only those."""

from __future__ import annotations

import importlib
import sys

from tests.bench.table import machine

ALL = ("recorder", "store", "archive", "accepting", "run_overhead", "sealing", "handing")


def main() -> None:
    """Run the benchmarks named on the command line, or all."""
    sys.stdout.write(f"Measured on {machine()}\n")
    names = sys.argv[1:] or ALL
    del sys.argv[1:]
    for name in names:
        importlib.import_module(f"tests.bench.{name}").main()


if __name__ == "__main__":
    main()
