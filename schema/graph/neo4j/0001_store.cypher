// Ledger and graph of one store. Positions (rf, rt, first, seq) are places in the ledger, times (vf,
// vt) UTC microseconds; both intervals are half open, and what is open has no end (rt, vt). A
// relationship is visible at position P while rf <= P < rt, and holds at a time T while vf <= T < vt.
// Relationships point downstream, from sources to products.
//
// (:Head {id: 'main'})  the end of the ledger: seq, recorded_at, frontier, counts. Locked by whoever
//                       appends, before anything is read.
// (:Entry)              an entry: seq, recorded_at, kind, source; envelope is JSON ([v, event id, actor,
//                       how that was verified, commitment]); leaf; salt; body ("z": zlib follows, "-":
//                       as it is). ref is a digest of source and event id.
// (:Node {id})          what has an id, with one label of its class: Artifact, Version, Run, Job,
//                       Team, Person, Service, Scope. first: the entry that first mentioned it.
//                       shown, said: states (lineage/store/neo4j/documents.py).
//   USED, GENERATED, CARRIES, DERIVED_FROM, REVISION_OF, TRIGGERED_BY, INVALIDATED, ATTRIBUTED_TO
//                       claims: method, said, detail; rf is the entry that claims it.
//   OPEN_USE            the claim of a use that names no version.
//   RESOLVED_USE        derived: what such a use (used, said) means.
//   SAME_AS             derived: equivalence of two ids.
//   VERSION_OF          from a version to its artifact.
//   SAID_SAME           two ids that were ever said to be the same.
// (:Said)               further operations on states: (:Node)-[:SAID]->(:Said {ops}).
// (:Object {type, key}) what a state is about: (:Node)-[:HOLDS]->(:Object).
// (:KindSaid {value, id}) artifacts by every kind that was ever said of them.
// (:Term {text})        for search, what a node is called beside its name and what does not begin any
//                       of its names: (:Term)-[:OF]->(:Node).
// (:Log {key})          a table's log: (:Node)-[:COMMIT_OF]->(:Log), files in it as JSON.
// (:Retraction {ref}), (:Redaction {ref})  by their target, which may arrive later.

CREATE CONSTRAINT head_id IF NOT EXISTS FOR (h:Head) REQUIRE h.id IS UNIQUE;
CREATE CONSTRAINT entry_seq IF NOT EXISTS FOR (e:Entry) REQUIRE e.seq IS UNIQUE;
CREATE CONSTRAINT entry_ref IF NOT EXISTS FOR (e:Entry) REQUIRE e.ref IS UNIQUE;
CREATE CONSTRAINT node_id IF NOT EXISTS FOR (n:Node) REQUIRE n.id IS UNIQUE;
CREATE CONSTRAINT log_key IF NOT EXISTS FOR (l:Log) REQUIRE l.key IS UNIQUE;
CREATE CONSTRAINT retraction_ref IF NOT EXISTS FOR (r:Retraction) REQUIRE r.ref IS UNIQUE;
CREATE CONSTRAINT term_text IF NOT EXISTS FOR (t:Term) REQUIRE t.text IS UNIQUE;
CREATE CONSTRAINT object_key IF NOT EXISTS FOR (o:Object) REQUIRE (o.type, o.key) IS UNIQUE;
CREATE CONSTRAINT kind_said IF NOT EXISTS FOR (k:KindSaid) REQUIRE (k.value, k.id) IS UNIQUE;
CREATE INDEX redaction_ref IF NOT EXISTS FOR (r:Redaction) ON (r.ref);
CREATE INDEX artifact_id IF NOT EXISTS FOR (a:Artifact) ON (a.id);
CREATE INDEX node_name IF NOT EXISTS FOR (n:Node) ON (n.name);
MERGE (h:Head {id: 'main'}) ON CREATE SET h.seq = 0, h.recorded_at = 0, h.edges = 0, h.states = 0, h.nodes = 0, h.reached_back = false;
