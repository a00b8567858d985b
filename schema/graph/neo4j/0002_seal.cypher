// (:Checkpoint {size})      a signed checkpoint of the first size entries: sealed_at, note.
// (:Tile {level, number})   root over a complete tile of 256^level leaves, level 1 and up: a cache
//                           beside the entries' leaves, from which it can be computed.

CREATE CONSTRAINT checkpoint_size IF NOT EXISTS FOR (c:Checkpoint) REQUIRE c.size IS UNIQUE;
CREATE CONSTRAINT tile_number IF NOT EXISTS FOR (t:Tile) REQUIRE (t.level, t.number) IS UNIQUE;
