"""Watching a run: a command is started as it is, and what it reads and writes is recorded.

In order::

    commandline   what the command is: job, entry point, parameters
    shim          the library that is preloaded: compiled once, kept
    launch        start the job, pass signals on, end as it ended
    inject/       what runs inside the job: the library's source, the Python hook
    eventlog      their records, read while the job runs
    footprint     records -> what became of each file (pure)
    rules         which files are environment, code, data (one table)
    tables        files of Delta tables -> tables at versions
    sightings     records -> the above, as they come
    gitstate, environment, machine, scrub     what else a run is made of
    conclusion    all of it, when the job has ended
    report        the changes that are recorded
    watch         the above, beside the running job

A job must never break because it is watched: whatever fails here is a warning and a gap.
"""

from __future__ import annotations

from pathlib import Path

__all__ = ["INJECT"]

INJECT = Path(__file__).parent / "inject"
"""The folder that goes to the front of the job's PYTHONPATH."""
