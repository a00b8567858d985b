"""One Delta table of the archive: appends that happen once, reads of ranges, rewriting, sweeping.

Exactly once: each commit carries the transaction ``lineage-archive`` with the last ``seq`` that the
table then holds. A writer begins from a snapshot, and only if that says what it expects; of two
that begin from one snapshot the second fails, because both carry the same transaction. The number
alone would do nothing: deltalake appends the same transaction twice without a word.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

from lineage.errors import ArchiveBusyError
from lineage.record.archive.durable import Durable
from lineage.record.archive.faults import reading, refuse_outside, writing
from lineage.record.archive.rows import NULLABLE

if TYPE_CHECKING:
    from arro3.core import Table
    from deltalake import CommitProperties, DeltaTable, PostCommitHookProperties, WriterProperties

__all__ = ["ArchiveTable"]

_APPLICATION = "lineage-archive"
_TRIES = 20
_SKIPPED_BY = frozenset({"seq", "size", "recorded_at"})
"""Columns with statistics. Those are copies of values, in the log, where no redaction reaches."""


class ArchiveTable:
    """A table at a path or an address; made by the first append. Only ``seq`` orders its rows."""

    def __init__(self, uri: str, columns: Mapping[str, str]) -> None:
        self.uri = uri
        self.name = uri.rstrip("/").rpartition("/")[2]
        self.columns = columns
        self._durable = None if "://" in uri else Durable(Path(uri))
        self._handle: DeltaTable | None = None
        self._is_inside = False

    @property
    def local(self) -> Path | None:
        """The directory of the table, if it is on this machine."""
        return None if self._durable is None else Path(self.uri)

    # --- reading

    def open(self) -> DeltaTable | None:
        """The table as it is now, or None where there is none."""
        from deltalake import DeltaTable
        from deltalake.exceptions import TableNotFoundError

        self._handle, self._is_inside = None, False
        if self._durable is not None and not Path(self.uri, "_delta_log").is_dir():
            return None
        with reading(self.name):
            try:
                self._handle = DeltaTable(self.uri)
            except TableNotFoundError:
                return None
        return self._handle

    def written(self) -> int:
        """The last seq that the table holds everything up to, as of now; 0: none."""
        table = self.open()
        return 0 if table is None else _version_of(table)

    def query(self, sql: str, **where: Any) -> dict[str, list[Any]]:
        """The columns of a query of the table ``t`` as it was opened last.

        Raises ``ArchiveDamagedError`` where a file is broken or gone.
        """
        from deltalake import QueryBuilder

        handle = self._handle or self.open()
        if handle is None:
            return {}
        self._must_be_inside()
        with reading(self.name, **where):
            found = QueryBuilder().register("t", handle).execute(sql).read_all()
            return {name: list(found.column(name).to_pylist()) for name in found.schema.names}

    def files(self) -> list[dict[str, Any]]:
        """Live files as opened last: ``path``, ``size``, and least and greatest of ``seq``."""
        handle = self._handle or self.open()
        if handle is None:
            return []
        with reading(self.name):
            actions = handle.get_add_actions(flatten=True)
            names = actions.schema.names
            wanted = {"path": "path", "size_bytes": "size", "num_records": "rows",
                      "min.seq": "first", "max.seq": "last"}  # fmt: skip
            columns = {
                short: actions.column(names.index(name)).to_pylist()
                for name, short in wanted.items() if name in names
            }  # fmt: skip
        rows = [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]
        return [{**row, "path": unquote(row["path"])} for row in rows]

    def _must_be_inside(self) -> None:
        """Refuse a table whose log names files elsewhere: they are read as rows of it."""
        if not self._is_inside:
            refuse_outside(self.name, (file["path"] for file in self.files()))
            self._is_inside = True

    # --- writing

    def append(self, rows: Table, *, expected: int, written: int) -> bool:
        """Append rows, after which the table holds everything up to ``written``.

        False, and nothing happened, unless it held what was ``expected`` right until then.
        Raises ``ArchiveFullError``, ``ArchiveUnavailableError``, ``ArchiveError``.
        """
        from deltalake import write_deltalake

        table = self.open() or self._make()
        if _version_of(table) != expected:
            return False
        try:
            with writing(self.name):
                write_deltalake(
                    table, rows, mode="append", writer_properties=_properties(),
                    commit_properties=_transaction(written), post_commithook_properties=_hooks(),
                )  # fmt: skip
        except ArchiveBusyError:
            return False
        return True

    def sync(self) -> None:
        """Make what was committed durable. Raises ``ArchiveFullError``, ``ArchiveError``."""
        if self._durable is not None:
            with writing(self.name):
                self._durable.sync()

    def _make(self) -> DeltaTable:
        from deltalake import DeltaTable, Field, Schema
        from deltalake.schema import PrimitiveType

        fields = [
            Field(name, PrimitiveType(kind), nullable=name in NULLABLE)
            for name, kind in self.columns.items()
        ]
        if self._durable is not None:
            with writing(self.name):
                Path(self.uri).mkdir(mode=0o700, parents=True, exist_ok=True)
        try:
            with writing(self.name):
                # "ignore" decides before it commits: of two at once one can still fail.
                DeltaTable.create(
                    self.uri, Schema(fields), mode="ignore", configuration=self._configuration(),
                    post_commithook_properties=_hooks(),
                )  # fmt: skip
        except ArchiveBusyError:
            pass
        table = self.open()
        if table is None:
            raise ArchiveBusyError(f"{self.name} went away", hint="try again", table=self.name)
        return table

    def _configuration(self) -> dict[str, str | None]:
        return {
            # A writer's default hook would delete old commits, and with them what they say.
            "delta.enableExpiredLogCleanup": "false",
            "delta.dataSkippingStatsColumns": ",".join(
                name for name in self.columns if name in _SKIPPED_BY
            ),
        }

    def compact(self) -> tuple[int, int]:
        """Merge small files; how many there were and are. What was replaced goes in a week.

        Raises ``ArchiveBusyError`` where others commit all the time.
        """

        def compact(table: DeltaTable, commit: CommitProperties) -> None:
            table.optimize.compact(
                writer_properties=_properties(), commit_properties=commit,
                post_commithook_properties=_hooks(),
            )  # fmt: skip

        before = len(self.files())
        self._insist(compact)
        table = self.open()
        if table is None:
            return 0, 0
        with writing(self.name):
            table.create_checkpoint()
            table.vacuum(dry_run=False)
        self.sync()
        return before, len(self.files())

    # --- taking back

    def rewrite(self, rows: Table) -> None:
        """Replace the rows of the same ``seq``, in one commit that no appender passes unnoticed.

        Raises ``ArchiveBusyError`` where others commit all the time.
        """

        def merge(table: DeltaTable, commit: CommitProperties) -> None:
            merging = table.merge(
                rows, "t.seq = s.seq", source_alias="s", target_alias="t",
                writer_properties=_properties(), commit_properties=commit,
                post_commithook_properties=_hooks(),
            )  # fmt: skip
            merging.when_matched_update({name: f"s.{name}" for name in self.columns}).execute()

        self._insist(merge)

    def delete(self, predicate: str) -> None:
        """Delete rows, as :meth:`rewrite` replaces them."""

        def delete(table: DeltaTable, commit: CommitProperties) -> None:
            table.delete(
                predicate, writer_properties=_properties(), commit_properties=commit,
                post_commithook_properties=_hooks(),
            )  # fmt: skip

        self._insist(delete)

    def _insist(self, act: Callable[[DeltaTable, CommitProperties], None]) -> None:
        for number in range(_TRIES):
            table = self.open()
            if table is None:
                return
            try:
                with writing(self.name):
                    act(table, _transaction(_version_of(table)))
                break
            except ArchiveBusyError:
                if number == _TRIES - 1:
                    raise
        self.sync()


def _version_of(table: DeltaTable) -> int:
    return int(table.transaction_version(_APPLICATION) or 0)


def _transaction(written: int) -> CommitProperties:
    from deltalake import CommitProperties, Transaction

    return CommitProperties(app_transactions=[Transaction(_APPLICATION, written)])


def _hooks() -> PostCommitHookProperties:
    from deltalake import PostCommitHookProperties

    return PostCommitHookProperties(create_checkpoint=True, cleanup_expired_logs=False)


def _properties() -> WriterProperties:
    from deltalake import WriterProperties

    return WriterProperties(compression="ZSTD", max_row_group_size=32_768)
