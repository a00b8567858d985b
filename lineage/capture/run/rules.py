"""Which files are the environment of a run, which its code, which its data: one table.

The first row that matches decides; what no row matches is data. The table is data itself, so that
it can be read at a glance and shown in the documentation.
"""

from __future__ import annotations

import enum
import posixpath
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache

__all__ = ["MODEL_CACHES", "ROWS", "SOURCE_SUFFIXES", "SYSTEM", "Kind", "Rules"]


class Kind(enum.Enum):
    """What a file is to a run."""

    NOTHING = "nothing"
    ENVIRONMENT = "environment"
    CODE = "code"
    DATA = "data"


SYSTEM = (
    "/bin", "/boot", "/etc", "/gnu/store", "/Library", "/lib", "/lib32", "/lib64", "/libx32",
    "/nix/store", "/opt/nvidia", "/run", "/sbin", "/snap", "/System", "/usr/bin", "/usr/etc",
    "/usr/games", "/usr/include", "/usr/lib", "/usr/lib32", "/usr/lib64", "/usr/libexec",
    "/usr/sbin", "/usr/share", "/usr/local/bin", "/usr/local/etc", "/usr/local/include",
    "/usr/local/lib", "/usr/local/sbin", "/usr/local/share", "/var/cache", "/var/lib/apt",
    "/var/lib/dpkg", "/var/lib/rpm", "/var/lib/sss", "/var/run",
)  # fmt: skip
"""Folders of the operating system. Not all of ``/usr``: images have applications in it."""

PSEUDO = ("/proc", "/sys", "/dev")
"""Not files; ``/dev/shm`` is memory that processes share, and holds files."""

MODEL_CACHES = (
    ".cache/huggingface", ".cache/torch/hub/checkpoints", ".cache/kagglehub", ".keras/datasets",
    ".keras/models", "scikit_learn_data",
)  # fmt: skip
"""Below a home: models and data sets that were fetched. They look like caches and are inputs."""

CACHES = (
    ".cache", ".config", ".conda", ".gradle", ".ipython", ".ivy2", ".java", ".julia", ".jupyter",
    ".local", ".m2", ".matplotlib", ".npm", ".nv", ".pyenv", ".R", ".rustup", ".cargo", ".theano",
    ".triton", ".aws", ".azure", ".ssh", ".gnupg", ".netrc", ".pgpass", ".gitconfig", ".bashrc",
    ".profile", ".inputrc", ".Rprofile", ".condarc", ".python_history",
)  # fmt: skip
"""Below a home: settings, credentials and caches."""

SEGMENTS = frozenset({
    "__pycache__", "site-packages", "dist-packages", ".git", ".hg", ".ipynb_checkpoints",
    ".mypy_cache", ".pytest_cache", ".ruff_cache", ".tox", ".nox", ".eggs", "node_modules",
})  # fmt: skip
"""Names of folders whose contents come with the environment, wherever they are."""

SUFFIXES = (".pyc", ".pyo", ".so", ".dylib", ".dll", ".pyd", ".class", ".jar")

SOURCE_SUFFIXES = frozenset({
    ".py", ".pyi", ".pyx", ".ipynb", ".sh", ".bash", ".zsh", ".r", ".rmd", ".jl", ".scala", ".java",
    ".kt", ".go", ".rs", ".c", ".cc", ".cpp", ".cxx", ".cu", ".h", ".hpp", ".pl", ".rb", ".js",
    ".ts", ".lua", ".m", ".awk",
})  # fmt: skip
"""Suffixes of source files: with them a file beside the job's own code is code."""

PREFIX_FOLDERS = ("bin", "conda-meta", "etc", "include", "lib", "lib64", "share", "ssl")
"""What an interpreter's prefix holds, where other things live in it too."""

_SHARED_PREFIXES = frozenset({"/usr", "/usr/local"})

ROWS = (
    ("nothing", "our own files; paths that LINEAGE_EXCLUDE names"),
    ("nothing", "pseudo file systems, but for /dev/shm"),
    ("data", "fetched models and data sets below a home (MODEL_CACHES)"),
    ("environment", "the operating system (SYSTEM)"),
    ("environment", "the interpreter: its prefix and base prefix"),
    ("environment", "folders of packages and tools (SEGMENTS), compiled code (SUFFIXES)"),
    ("environment", "settings and caches below a home (CACHES)"),
    ("code", "source files (SOURCE_SUFFIXES) below the work tree or the script's folder"),
    ("environment", "source files below another entry of sys.path"),
    ("data", "the rest"),
)
"""The table in words; :meth:`Rules.kind` is the same in code, row by row."""


@dataclass(slots=True)
class Rules:
    """The table for one run. Paths are real and absolute."""

    ours: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()
    homes: tuple[str, ...] = ()
    code: tuple[str, ...] = ()
    script: str = ""
    cwd: str = ""
    prefixes: tuple[str, ...] = ()
    libraries: tuple[str, ...] = ()
    _models: tuple[str, ...] = ()
    _caches: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        self._models = tuple(f"{home}/{name}" for home in self.homes for name in MODEL_CACHES)
        self._caches = tuple(f"{home}/{name}" for home in self.homes for name in CACHES)

    def learn(self, prefixes: Iterable[str], path: Iterable[str]) -> None:
        """An interpreter of the job: its prefixes and ``sys.path``."""
        found = [place for prefix in prefixes for place in self._environment_of(prefix)]
        self.prefixes = tuple(dict.fromkeys((*self.prefixes, *found)))
        entries = [entry for entry in path if entry.startswith("/")]
        self.libraries = tuple(dict.fromkeys((*self.libraries, *entries)))

    def _environment_of(self, prefix: str) -> list[str]:
        """A virtual environment made in the project's own folder is only its subfolders."""
        if not prefix.startswith("/") or prefix == "/":
            return []
        shared = any(below(place, (prefix,)) for place in (self.cwd, *self.code) if place)
        if shared or prefix in _SHARED_PREFIXES:
            return [f"{prefix}/{folder}" for folder in PREFIX_FOLDERS]
        return [prefix]

    def ignored(self, path: str) -> bool:
        """Whether nothing at all is kept of a path: cheap, for every record."""
        if below(path, self.ours) or below(path, self.exclude):
            return True
        return below(path, PSEUDO) and not path.startswith("/dev/shm/")  # noqa: S108  # rule

    def kind(self, path: str) -> Kind:  # noqa: PLR0911  # a row of the table each
        """The row that decides."""
        if path == self.script:
            return Kind.CODE
        if self.ignored(path):
            return Kind.NOTHING
        if below(path, self._models):
            return Kind.DATA
        if below(path, SYSTEM) or below(path, self.prefixes):
            return Kind.ENVIRONMENT
        parts, name = path.split("/"), posixpath.basename(path)
        if not SEGMENTS.isdisjoint(parts) or name.endswith(SUFFIXES) or ".so." in name:
            return Kind.ENVIRONMENT
        if below(path, self._caches):
            return Kind.ENVIRONMENT
        if posixpath.splitext(name)[1].lower() in SOURCE_SUFFIXES:
            if below(path, self.code):
                return Kind.CODE
            if below(path, self.libraries):
                return Kind.ENVIRONMENT
        return Kind.DATA


def below(path: str, folders: tuple[str, ...]) -> bool:
    """Whether a path is one of the folders, or inside of one."""
    return path in folders or path.startswith(_inside(folders))


@lru_cache(maxsize=1024)
def _inside(folders: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(f"{folder}/" for folder in folders)
