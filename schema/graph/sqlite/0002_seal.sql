-- Signed checkpoints by the number of entries they are of; the note as it was signed.
CREATE TABLE checkpoint(
  size INTEGER PRIMARY KEY, sealed_at INT NOT NULL, note BLOB NOT NULL
);

-- Roots over the complete tiles of 256^level leaves: a cache beside entry.leaf, from which it can be
-- computed. Level 1 and up; number n is over the leaves from n * 256^level on.
CREATE TABLE tile(
  level INT NOT NULL, number INT NOT NULL, root BLOB NOT NULL,
  PRIMARY KEY(level, number)
) WITHOUT ROWID;
