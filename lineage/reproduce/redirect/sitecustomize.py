"""Found first on PYTHONPATH in every Python of a job that runs again without namespaces.

It installs the redirection, or ends the process: a job that is not redirected must not run. Then
it gives way to the ``sitecustomize`` that it shadows.
"""

import sys


def _begin():
    try:
        import lineage_redirect

        lineage_redirect.install()
    except BaseException as fault:
        sys.stderr.write("lineage: the job could not be redirected: %r\n" % (fault,))
        sys.stderr.flush()
        import os

        os._exit(71)


def _give_way():
    """Import the next ``sitecustomize``; what it raises is reported by ``site`` as ever."""
    this = sys.modules.pop("sitecustomize", None)
    here = __file__.rpartition("/")[0]
    sys.path[:] = [entry for entry in sys.path if entry != here]
    try:
        import sitecustomize  # noqa: F401
    except ImportError as fault:
        if getattr(fault, "name", "sitecustomize") != "sitecustomize":
            raise
    finally:
        if this is not None:
            sys.modules.setdefault("sitecustomize", this)


_begin()
_give_way()
