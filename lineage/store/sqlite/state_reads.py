"""Reads of states."""

from __future__ import annotations

from collections.abc import Sequence

from lineage.model.canonical import FOREVER
from lineage.model.claims import Method, StateType
from lineage.store.contract import Evidence, StateValue
from lineage.store.sqlite.connection import Row
from lineage.store.sqlite.reading import KNOWN, Reading
from lineage.store.sqlite.texts import pack_text, unpack_text

__all__ = ["history", "state_evidence", "states"]

_COLUMNS = """SELECT n.urn, e.type, o.text, coalesce(s.text, ''), e.vf, e.vt, e.method, e.value"""
_NAMES = """CROSS JOIN node n ON n.id = e.subj CROSS JOIN word o ON o.id = e.obj
LEFT JOIN word s ON s.id = e.src"""
_HOLDS = f"{KNOWN} AND e.vf <= :T AND (e.vt IS NULL OR e.vt > :T)"


def states(
    reading: Reading,
    *,
    subjects: Sequence[str] | None,
    types: Sequence[StateType],
    objects: Sequence[str] | None,
) -> list[StateValue]:
    """States that show, by whichever of subject and object is given."""
    kinds = ", ".join(str(int(kind)) for kind in types or StateType)
    where = f"WHERE e.type IN ({kinds}) AND {_HOLDS}"
    words = None if objects is None else str(_words(reading, objects))
    if subjects is not None:
        numbers = str(list(reading.numbers(dict.fromkeys(subjects)).values()))
        sql = f"""{_COLUMNS} FROM json_each(:ids) j CROSS JOIN st e ON e.subj = j.value {_NAMES}
            {where}"""
        if words is not None:
            sql += " AND e.obj IN (SELECT value FROM json_each(:words))"
        found = reading.query(sql, ids=numbers, words=words)
    elif words is not None:
        sql = f"""{_COLUMNS} FROM (SELECT DISTINCT x.type, x.obj, x.subj FROM json_each(:words) j
              CROSS JOIN st_op x ON x.obj = j.value AND x.type IN ({kinds})) k
            CROSS JOIN st e ON e.subj = k.subj AND e.type = k.type AND e.obj = k.obj {_NAMES}
            {where}"""
        found = reading.query(sql, words=words)
    else:
        found = reading.query(f"{_COLUMNS} FROM st e {_NAMES} {where}")
    return sorted((_value(row) for row in found), key=_by_key)


def _words(reading: Reading, texts: Sequence[str]) -> list[int]:
    sql = "SELECT id FROM word WHERE text = :text"
    distinct = map(pack_text, dict.fromkeys(texts))
    return [row[0] for text in distinct for row in reading.query(sql, text=text)]


def _value(row: Row) -> StateValue:
    urn, kind, obj, source, since, until, method, value = row
    return StateValue(
        urn, StateType(kind), unpack_text(obj), unpack_text(value), since,
        FOREVER if until is None else until, Method(method), unpack_text(source),
    )  # fmt: skip


def _by_key(value: StateValue) -> tuple[str, int, str, str, int]:
    return (value.subject, value.type, value.object, value.source, value.since)


def history(reading: Reading, subject: str, kind: StateType) -> list[StateValue]:
    """All intervals of a subject's states."""
    number = reading.numbers([subject]).get(subject)
    sql = f"{_COLUMNS} FROM st e {_NAMES} WHERE e.subj = :id AND e.type = :kind AND {KNOWN}"
    found = reading.query(sql, id=number, kind=int(kind))
    return sorted((_value(row) for row in found), key=_by_key)


def state_evidence(reading: Reading, subject: str, kind: StateType, obj: str) -> list[Evidence]:
    """Entries with operations on a state."""
    number = reading.numbers([subject]).get(subject)
    words = _words(reading, [obj])
    sql = """SELECT o.seq, s.text, o.method, o.at, o.value FROM st_op o
        CROSS JOIN entry e ON e.seq = o.seq CROSS JOIN word s ON s.id = e.source
        WHERE o.subj = :id AND o.type = :kind AND o.obj = :obj
        AND o.seq <= :P AND (o.dead IS NULL OR o.dead > :P)"""
    found = [
        Evidence(seq, unpack_text(source), Method(method), at, detail=unpack_text(value))
        for word in words
        for seq, source, method, at, value in reading.query(
            sql, id=number, kind=int(kind), obj=word
        )
    ]
    return sorted(found, key=lambda claim: (claim.seq, claim.at, claim.detail, claim.method))
