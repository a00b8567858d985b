"""Wraps ``deltalake``: which table, at which version, was read or written, told as it happens.

Nothing here changes an argument, a result or an exception, and no call of ours goes to the network,
but for one look at a remote table that the job itself has just made.
"""

import functools
import os
import threading

from lineage_hook import fields, record, send

_READS = (
    "to_pandas",
    "to_pyarrow_table",
    "to_pyarrow_dataset",
    "scan",
    "file_uris",
    "files",
    "get_add_actions",
    "count",
    "load_cdf",
    "deletion_vectors",
    "__arrow_c_stream__",
    "__datafusion_table_provider__",
)
_REWRITES = ("update", "delete")
_COMMITS = ("restore", "repair", "vacuum", "create_write_transaction")

_told = set()  # type: ignore[var-annotated]  # no generics at run time on 3.8
_inside = threading.local()


def _tell(op, method, table, version=None):
    """One record; the same again (by this process) is left out."""
    try:
        number = table.version() if version is None else version
        identity = str(table.metadata().id)
        uri = table.table_uri
        uri = str(uri() if callable(uri) else uri)
        key = (op, uri, identity, number)
        if number is None or number < 0 or key in _told:
            return
        _told.add(key)
        send(record("D", number, 0, 0, fields(op, method, uri, identity)))
    except Exception:  # never into the job
        pass


def _version(table):
    try:
        return table.version()
    except Exception:
        return None


def _wrap(owner, name, around):
    original = owner.__dict__.get(name)
    if callable(original):
        setattr(owner, name, functools.wraps(original)(around(original, name)))


def _reading(original, name):
    def read(self, *args, **kwargs):
        last = kwargs.get("ending_version") if name == "load_cdf" else None
        _tell("read", name, self, last)
        return original(self, *args, **kwargs)

    return read


def _committing(table_of, rewrites):
    """Around a call that may commit: what it rewrites was read, at the version before."""

    def around(original, name):
        def commit(self, *args, **kwargs):
            table = table_of(self)
            before = _version(table)
            result = original(self, *args, **kwargs)
            after = _version(table)
            if before is not None and after is not None and after > before:
                if rewrites:
                    _tell("rewrite", name, table, before)
                for number in range(before + 1, after + 1):
                    _tell("write", name, table, number)
            return result

        return commit

    return around


def _wrap_table(module):
    table = module.DeltaTable
    for name in _READS:
        _wrap(table, name, _reading)
    itself = _committing(lambda self: self, rewrites=True)
    for name in _REWRITES:
        _wrap(table, name, itself)
    for name in _COMMITS:
        _wrap(table, name, _committing(lambda self: self, rewrites=False))
    for part, names, rewrites in (
        ("TableMerger", ("execute",), True),
        ("TableOptimizer", ("compact", "z_order"), True),
        ("TableAlterer", None, False),
    ):
        owner = getattr(module, part, None)
        if owner is None:
            continue
        chosen = names or [name for name in vars(owner) if not name.startswith("_")]
        for name in chosen:
            _wrap(owner, name, _committing(_table_of_part, rewrites))


def _table_of_part(part):
    """The table a merger, optimizer or alterer works on."""
    table = getattr(part, "table", None)
    return part._table if table is None else table  # noqa: SLF001  # there is no other way


def _wrap_query(module):
    def around(original, name):
        def register(self, table_name, delta_table, *args, **kwargs):
            _tell("read", name, delta_table)
            return original(self, table_name, delta_table, *args, **kwargs)

        return register

    _wrap(module.QueryBuilder, "register", around)


def _wrap_writer(module):
    """``write_deltalake`` opens the table itself: the handle it opened knows what it committed."""
    opened = module.try_get_table_and_table_uri
    write = module.write_deltalake

    def open_table(*args, **kwargs):
        result = opened(*args, **kwargs)
        try:
            _inside.table = result[0]
            _inside.before = _version(result[0])
        except Exception:  # a version that returns something else
            pass
        return result

    module.try_get_table_and_table_uri = functools.wraps(opened)(open_table)

    @functools.wraps(write)
    def write_deltalake(table_or_uri, *args, **kwargs):
        _inside.table = _inside.before = None
        try:
            result = write(table_or_uri, *args, **kwargs)
        finally:
            table, _inside.table = _inside.table, None
        _tell_write(table, _inside.before, table_or_uri, kwargs)
        return result

    module.write_deltalake = write_deltalake


def _tell_write(table, before, uri, options):
    try:
        if table is None:  # it was made by this call
            if "://" not in str(uri):  # its id is read from its log later
                place = os.path.abspath(str(uri))
                send(record("D", 0, 0, 0, fields("write", "write_deltalake", place, "")))
                return
            from deltalake.table import DeltaTable

            table = DeltaTable(str(uri), storage_options=options.get("storage_options"))
            _tell("write", "write_deltalake", table, table.version())
            return
        after = _version(table)
        if before is not None and after is not None:
            for number in range(before + 1, after + 1):
                _tell("write", "write_deltalake", table, number)
    except Exception:  # never into the job
        pass


WRAPS = {
    "deltalake.table": _wrap_table,
    "deltalake.query": _wrap_query,
    "deltalake.writer.writer": _wrap_writer,
}
