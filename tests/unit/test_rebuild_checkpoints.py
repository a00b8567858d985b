from __future__ import annotations

from lineage.record.interpret import interpret
from lineage.record.rebuild import rebuild
from lineage.store.memory import MemoryStore
from lineage.testing.builders import attribute
from lineage.testing.plain import entry_of

TABLE = "artifact:n,t"


def test_what_is_rebuilt_has_its_checkpoints() -> None:
    live, built = MemoryStore(interpret), MemoryStore(interpret)
    for at in range(3):
        live.append([entry_of(attribute(TABLE, "doc", "x", at))])
        live.seal(lambda head: b"%d" % head.seq)
    assert rebuild(live, built) == 3
    assert list(built.checkpoints()) == list(live.checkpoints())
