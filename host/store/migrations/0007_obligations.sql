-- What arrays still have to be told; `subject` is the array, `created_at` since when.
CREATE TABLE obligations (
    id TEXT PRIMARY KEY NOT NULL, revision INTEGER NOT NULL, doc TEXT NOT NULL,
    kind TEXT, subject TEXT, backend TEXT, state TEXT, project_id TEXT, created_at INTEGER NOT NULL, due_at INTEGER
) WITHOUT ROWID;
CREATE INDEX obligations_backend ON obligations (backend, state, id);
CREATE INDEX obligations_oldest ON obligations (backend, state, subject, kind, created_at);
