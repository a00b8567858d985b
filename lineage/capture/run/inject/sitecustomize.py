"""Found first on PYTHONPATH in every Python that a watched job starts.

It installs the hook, takes its own directory off ``sys.path``, and gives way to the
``sitecustomize`` that it shadows. Any Python may come by here: it has to parse on all of them.
"""

import sys


def _begin():
    try:
        if sys.version_info >= (3, 8):
            import lineage_hook

            lineage_hook.install()
    except Exception:  # the job goes on without the hook
        pass


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
            sys.modules.setdefault("sitecustomize", this)  # the import of this file expects one


_begin()
_give_way()
