-- Ledger and graph of one store. "seq" columns are positions in the ledger; times are UTC
-- microseconds. A claim or a derived row is visible at position P while rf <= P < rt (NULL: open),
-- and holds at a valid time T while vf <= T < vt. Texts from outside have no declared type: one
-- with lone surrogates, which SQLite cannot hold as text, is stored as bytes.

-- The end of the ledger, and what is counted as it grows.
CREATE TABLE head(
  one INTEGER PRIMARY KEY CHECK(one = 1),
  seq INT NOT NULL, recorded_at INT NOT NULL, frontier BLOB NOT NULL,
  edges INT NOT NULL, states INT NOT NULL
);
INSERT INTO head VALUES(1, 0, 0, x'', 0, 0);

-- The oldest schema version whose program may still read this file.
CREATE TABLE meta(key TEXT PRIMARY KEY, value NOT NULL) WITHOUT ROWID;
INSERT INTO meta VALUES('readable_from', 1);

-- Interned texts: sources, kinds, actors, objects and names of states.
CREATE TABLE word(id INTEGER PRIMARY KEY, text NOT NULL UNIQUE);

-- event_id: 64 hex digits as 32 bytes, else text. body: zlib (packed = 1) where that is smaller.
CREATE TABLE entry(
  seq INTEGER PRIMARY KEY, recorded_at INT NOT NULL, kind INT NOT NULL, v INT NOT NULL,
  source INT NOT NULL, event_id NOT NULL, actor INT NOT NULL, verified INT NOT NULL,
  salt BLOB, packed INT NOT NULL, body BLOB NOT NULL, commitment BLOB NOT NULL, leaf BLOB NOT NULL,
  UNIQUE(source, event_id)
);
-- Retractions and redactions by their target, which may arrive later.
CREATE TABLE retraction(
  source INT NOT NULL, event_id NOT NULL, seq INT NOT NULL,
  PRIMARY KEY(source, event_id)
) WITHOUT ROWID;
CREATE TABLE redaction(
  source INT NOT NULL, event_id NOT NULL, by_event_id NOT NULL, by_source INT NOT NULL,
  stub BLOB NOT NULL,
  PRIMARY KEY(source, event_id, by_source, by_event_id)
) WITHOUT ROWID;

-- Known nodes. parent: the artifact of a version. made: the least event time of what made a version
-- as known at the head. first: the entry that first mentioned it.
CREATE TABLE node(
  id INTEGER PRIMARY KEY, urn TEXT NOT NULL UNIQUE, parent INT, made INT, first INT NOT NULL
);
CREATE INDEX node_version ON node(parent, made) WHERE parent IS NOT NULL;
CREATE INDEX node_artifact ON node(urn)
  WHERE parent IS NULL AND urn >= 'artifact:' AND urn < 'artifact;';

-- Case-folded names (kind 0) and tokens (kind 1) as UTF-8, for search.
CREATE TABLE term(
  text BLOB NOT NULL, kind INT NOT NULL, node INT NOT NULL,
  PRIMARY KEY(text, kind, node)
) WITHOUT ROWID;

-- Artifacts by every kind that was ever said of them: candidates of a listing by kind.
CREATE TABLE kind_said(value NOT NULL, urn TEXT NOT NULL, PRIMARY KEY(value, urn)) WITHOUT ROWID;

-- What a claim says beside its ends.
CREATE TABLE note(id INTEGER PRIMARY KEY, said NOT NULL, detail NOT NULL);
CREATE UNIQUE INDEX note_text ON note(said, detail) WHERE length(detail) <= 200;

-- Edges, up to sources and down to products. type: claims.EdgeType; beside it 0 is a use that was
-- resolved (derived; used and note name the open use it comes from) and 21 the open use itself.
-- Types 0 to 5 are walked. Types 0 and 5 are derived, all others are claims of the entry rf.
CREATE TABLE edge(
  dn INT NOT NULL, type INT NOT NULL, up INT NOT NULL, rf INT NOT NULL, n INT NOT NULL,
  vf INT NOT NULL, method INT NOT NULL, vt INT, rt INT, note INT, used INT,
  PRIMARY KEY(dn, type, up, rf, n)
) WITHOUT ROWID;
CREATE INDEX edge_up ON edge(up, type, vf, vt, rt);

-- Uses and outputs whose producer named a bare version number: which node to resolve again when a
-- version of that number appears. Rows are candidates and are never removed.
CREATE TABLE saying(
  artifact INT NOT NULL, said NOT NULL, type INT NOT NULL, dn INT NOT NULL, up INT NOT NULL,
  PRIMARY KEY(artifact, said, type, dn, up)
) WITHOUT ROWID;

-- Operations on states. src: the source on attributes, else 0. vf NULL: from at on. vt NULL: without
-- end. dead: the entry from which on it is retracted.
CREATE TABLE st_op(
  subj INT NOT NULL, type INT NOT NULL, obj INT NOT NULL, src INT NOT NULL,
  at INT NOT NULL, seq INT NOT NULL, n INT NOT NULL,
  value NOT NULL, vf INT, vt INT, method INT NOT NULL, dead INT,
  PRIMARY KEY(subj, type, obj, src, at, seq, n)
) WITHOUT ROWID;
CREATE INDEX st_op_irregular ON st_op(subj, type, obj, src, at)
  WHERE vf IS NOT NULL OR vt IS NOT NULL;
CREATE INDEX st_op_object ON st_op(type, obj, subj) WHERE type NOT IN (1, 4);

-- What states show: the fold of their operations, by both times.
CREATE TABLE st(
  subj INT NOT NULL, type INT NOT NULL, obj INT NOT NULL, src INT NOT NULL,
  vf INT NOT NULL, rf INT NOT NULL, vt INT, rt INT, method INT NOT NULL, value NOT NULL,
  PRIMARY KEY(subj, type, obj, src, vf, rf)
) WITHOUT ROWID;

-- Logs of tables: commits as claimed, and the files they added (gone 0) and removed (gone 1).
-- regular: what follows holds for the log at every position. It does not once a commit was retracted,
-- erased, or told otherwise than before; then walks read the claims themselves.
CREATE TABLE tlog(
  id INTEGER PRIMARY KEY, tbl NOT NULL, log NOT NULL, regular INT NOT NULL DEFAULT 1,
  UNIQUE(tbl, log)
);
-- since: the commit from which on the file is live, as of the last complete commit.
CREATE TABLE tfile(
  id INTEGER PRIMARY KEY, tlog INT NOT NULL, path NOT NULL, since INT, UNIQUE(tlog, path)
);
CREATE TABLE tcommit(
  tlog INT NOT NULL, number INT NOT NULL, rf INT NOT NULL, n INT NOT NULL, ver INT NOT NULL,
  at INT NOT NULL, known INT NOT NULL, carries INT NOT NULL, rt INT,
  PRIMARY KEY(tlog, number, rf, n)
) WITHOUT ROWID;
CREATE INDEX tcommit_version ON tcommit(ver);
CREATE TABLE tchange(
  tlog INT NOT NULL, number INT NOT NULL, gone INT NOT NULL, file INT NOT NULL,
  rf INT NOT NULL, n INT NOT NULL,
  PRIMARY KEY(tlog, number, gone, file, rf, n)
) WITHOUT ROWID;
CREATE INDEX tchange_file ON tchange(tlog, file, gone, number);
-- Commits whose files are known. A version is complete, with all commits before it, at positions
-- from ready_rf and valid times from ready_at on (NULL: never yet). rewrites: it carries on and
-- removed files; adds: it added some.
CREATE TABLE tversion(
  tlog INT NOT NULL, number INT NOT NULL, ver INT NOT NULL, at INT NOT NULL, rf INT NOT NULL,
  carries INT NOT NULL, adds INT NOT NULL, rewrites INT NOT NULL, ready_rf INT, ready_at INT,
  PRIMARY KEY(tlog, number)
) WITHOUT ROWID;
CREATE INDEX tversion_version ON tversion(ver);
-- What is read at a version born <= number < dead comes from commit adder, by so many files.
CREATE TABLE life(
  tlog INT NOT NULL, dead INT NOT NULL, born INT NOT NULL, adder INT NOT NULL, files INT NOT NULL,
  PRIMARY KEY(tlog, dead, born, adder)
) WITHOUT ROWID;
CREATE INDEX life_adder ON life(tlog, adder);
