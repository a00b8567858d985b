"""Installs the redirection that ``LINEAGE_REDIRECT`` describes: a JSON file in the scratch space.

``scratch``, ``views`` (pairs of a path and the directory that stands for it), ``files`` (path ->
where to read it), ``absent``, ``hidden`` and ``network``. A mark left in scratch says that it was
done: without it nothing counts.
"""

import json
import os

MARK = "redirected"


def install():
    """Lead this process elsewhere. Raises where it cannot: then the job must not run."""
    place = os.environ.get("LINEAGE_REDIRECT")
    if not place:
        return
    with open(place, encoding="utf-8") as file:
        told = json.load(file)
    import lineage_calls
    import lineage_guard
    import lineage_native
    import lineage_paths

    first = not os.path.exists(os.path.join(told["scratch"], MARK))
    # What is absent at the start of the job is not to vanish again for its children.
    absent = told["absent"] if first else ()
    paths = lineage_paths.Paths(
        told["scratch"], told["views"], told["files"], absent, told["hidden"]
    )
    lineage_calls.install(paths)
    lineage_native.install(paths)
    lineage_guard.install(paths.scratch, told["network"], bool(os.environ.get("LINEAGE_CONFINED")))
    with open(os.path.join(paths.scratch, MARK), "a", encoding="ascii") as mark:
        mark.write("%d\n" % os.getpid())
