-- Tables of one shape for records that only the control crate knows: events to deliver, what was observed, plans, drills,
-- relations between arrays. A later change of their fields needs no migration.
CREATE TABLE outbox (
    id TEXT PRIMARY KEY NOT NULL, revision INTEGER NOT NULL, doc TEXT NOT NULL,
    kind TEXT, subject TEXT, backend TEXT, state TEXT, project_id TEXT, created_at INTEGER NOT NULL, due_at INTEGER
) WITHOUT ROWID;
CREATE INDEX outbox_created ON outbox (created_at, id);
CREATE INDEX outbox_subject ON outbox (subject);
CREATE INDEX outbox_backend ON outbox (backend, id);
CREATE INDEX outbox_due ON outbox (state, due_at);
CREATE TABLE observations (
    id TEXT PRIMARY KEY NOT NULL, revision INTEGER NOT NULL, doc TEXT NOT NULL,
    kind TEXT, subject TEXT, backend TEXT, state TEXT, project_id TEXT, created_at INTEGER NOT NULL, due_at INTEGER
) WITHOUT ROWID;
CREATE INDEX observations_created ON observations (created_at, id);
CREATE INDEX observations_subject ON observations (subject);
CREATE INDEX observations_backend ON observations (backend, id);
CREATE INDEX observations_due ON observations (state, due_at);
CREATE TABLE plans (
    id TEXT PRIMARY KEY NOT NULL, revision INTEGER NOT NULL, doc TEXT NOT NULL,
    kind TEXT, subject TEXT, backend TEXT, state TEXT, project_id TEXT, created_at INTEGER NOT NULL, due_at INTEGER
) WITHOUT ROWID;
CREATE INDEX plans_created ON plans (created_at, id);
CREATE INDEX plans_subject ON plans (subject);
CREATE INDEX plans_backend ON plans (backend, id);
CREATE INDEX plans_due ON plans (state, due_at);
CREATE TABLE drills (
    id TEXT PRIMARY KEY NOT NULL, revision INTEGER NOT NULL, doc TEXT NOT NULL,
    kind TEXT, subject TEXT, backend TEXT, state TEXT, project_id TEXT, created_at INTEGER NOT NULL, due_at INTEGER
) WITHOUT ROWID;
CREATE INDEX drills_created ON drills (created_at, id);
CREATE INDEX drills_subject ON drills (subject);
CREATE INDEX drills_backend ON drills (backend, id);
CREATE INDEX drills_due ON drills (state, due_at);
CREATE TABLE relations (
    id TEXT PRIMARY KEY NOT NULL, revision INTEGER NOT NULL, doc TEXT NOT NULL,
    kind TEXT, subject TEXT, backend TEXT, state TEXT, project_id TEXT, created_at INTEGER NOT NULL, due_at INTEGER
) WITHOUT ROWID;
CREATE INDEX relations_created ON relations (created_at, id);
CREATE INDEX relations_subject ON relations (subject);
CREATE INDEX relations_backend ON relations (backend, id);
CREATE INDEX relations_due ON relations (state, due_at);
