"""Libraries that open files themselves, behind Python's back: their path arguments are led too.

Each row: module (wrapped when it has been imported), attribute, name of the path's parameter, its
position, and whether it is written. A library that is not here and writes is stopped by Landlock
where there is one, and noticed afterwards where there is none.
"""

import functools
import os
import pathlib
import sys

_TABLES = (
    ("deltalake.table", "DeltaTable.__init__", "table_uri", 1, False),
    ("deltalake.table", "DeltaTable.is_deltatable", "table_uri", 0, False),
    ("deltalake.table", "DeltaTable.create", "table_uri", 0, True),
    ("deltalake.writer.writer", "write_deltalake", "table_or_uri", 0, True),
    ("deltalake.writer.convert_to", "convert_to_deltalake", "uri", 0, True),
)
_ARROW = (
    ("pyarrow.parquet.core", "ParquetFile.__init__", "source", 1, False),
    ("pyarrow.parquet.core", "ParquetDataset.__init__", "path_or_paths", 1, False),
    ("pyarrow.parquet.core", "ParquetWriter.__init__", "where", 1, True),
    ("pyarrow.parquet.core", "read_table", "source", 0, False),
    ("pyarrow.dataset", "dataset", "source", 0, False),
    ("pyarrow.dataset", "write_dataset", "base_dir", 1, True),
    ("pyarrow.csv", "read_csv", "input_file", 0, False),
    ("pyarrow.csv", "open_csv", "input_file", 0, False),
    ("pyarrow.csv", "write_csv", "output_file", 1, True),
    ("pyarrow.feather", "read_table", "source", 0, False),
    ("pyarrow.feather", "write_feather", "dest", 1, True),
)
_POLARS = tuple(
    ("polars", "%s_%s" % (verb, kind), "source", 0, False)
    for verb in ("read", "scan") for kind in ("csv", "parquet", "ipc", "ndjson", "delta")
) + tuple(
    ("polars.dataframe.frame", "DataFrame.write_%s" % kind, "file", 1, True)
    for kind in ("csv", "parquet", "ipc", "ndjson")
)  # fmt: skip
_OTHERS = (
    ("torch.serialization", "_open_zipfile_writer_file.__init__", "name", 1, True),
    ("safetensors", "safe_open", "filename", 0, False),
    ("safetensors.numpy", "save_file", "filename", 1, True),
    ("safetensors.torch", "save_file", "filename", 1, True),
    ("safetensors.torch", "load_file", "filename", 0, False),
    ("xgboost.core", "Booster.save_model", "fname", 1, True),
    ("xgboost.core", "Booster.load_model", "fname", 1, False),
    ("lightgbm.basic", "Booster.save_model", "filename", 1, True),
    ("h5py._hl.files", "File.__init__", "name", 1, True),
    ("sqlite3", "connect", "database", 0, True),
)
PARTS = _TABLES + _ARROW + _POLARS + _OTHERS


def install(paths):
    """Wrap what is imported, and whatever will be."""
    modules = {}  # type: ignore[var-annotated]  # as dict[str, ...] cannot be said on 3.8
    for module, attribute, name, position, writes in PARTS:
        modules.setdefault(module, []).append((attribute, name, position, writes))
    for module, parts in modules.items():
        if module in sys.modules:
            _wrap(sys.modules[module], parts, paths)
    sys.meta_path.insert(0, _WhenImported(modules, paths))


def _wrap(module, parts, paths):
    for attribute, name, position, writes in parts:
        owner_name, _, last = attribute.rpartition(".")
        owner = getattr(module, owner_name, None) if owner_name else module
        original = getattr(owner, last, None) if owner is not None else None
        if callable(original):
            setattr(owner, last, _led(original, name, position, writes, paths))


def _led(original, name, position, writes, paths):
    lead = functools.partial(_lead, paths=paths, writes=writes)

    @functools.wraps(original)
    def call(*args, **options):
        if name in options:
            options[name] = lead(options[name])
        elif len(args) > position:
            args = (*args[:position], lead(args[position]), *args[position + 1 :])
        return original(*args, **options)

    return call


def _lead(value, paths, writes):
    if isinstance(value, (list, tuple)):
        return type(value)(_lead(each, paths, writes) for each in value)
    if not isinstance(value, (str, os.PathLike)):
        return value
    text = os.fspath(value)
    if text.startswith("file://"):
        text = text[len("file://") :]
    if "://" in text or not text or text == ":memory:":
        return value
    place = paths.writing(text, keep=True) if writes else paths.reading(text)
    return place if isinstance(value, str) else pathlib.Path(place)


class _WhenImported:
    """Wraps modules after they were executed; finds nothing itself."""

    def __init__(self, modules, paths):
        self._modules = modules
        self._paths = paths

    def find_spec(self, name, path=None, target=None):
        parts = self._modules.get(name)
        if parts is None:
            return None
        for finder in sys.meta_path:
            find = getattr(finder, "find_spec", None)
            spec = find(name, path, target) if find and finder is not self else None
            if spec is not None and spec.loader is not None:
                return self._around(spec, parts)
        return None

    def _around(self, spec, parts):
        execute = spec.loader.exec_module

        def exec_module(module):
            execute(module)
            _wrap(module, parts, self._paths)

        spec.loader.exec_module = exec_module
        return spec
