-- The audit log: who did what. `doc` is one entry in its place in the chain of its host, byte for byte what its hash is over;
-- `id` is that hash, and the other columns are copies to find entries by.
CREATE TABLE audit (
    id TEXT PRIMARY KEY NOT NULL, revision INTEGER NOT NULL, doc TEXT NOT NULL,
    host TEXT NOT NULL, seq INTEGER NOT NULL, created_at INTEGER NOT NULL, action TEXT NOT NULL, outcome TEXT NOT NULL,
    backend TEXT, driver TEXT, user TEXT
) WITHOUT ROWID;
CREATE UNIQUE INDEX audit_chain ON audit (host, seq);
CREATE INDEX audit_created ON audit (created_at, seq, id);
CREATE INDEX audit_host ON audit (host, created_at, seq, id);
CREATE INDEX audit_action ON audit (action, created_at, seq, id);
CREATE INDEX audit_outcome ON audit (outcome, created_at, seq, id);
CREATE INDEX audit_backend ON audit (backend, created_at, seq, id);
CREATE INDEX audit_driver ON audit (driver, created_at, seq, id);
CREATE INDEX audit_user ON audit (user, created_at, seq, id);
-- Against mistakes. Somebody who can write the file can drop a trigger; the chain is what shows that somebody did.
CREATE TRIGGER audit_no_update BEFORE UPDATE ON audit BEGIN
    SELECT RAISE(ABORT, 'the audit log is append-only');
END;
CREATE TRIGGER audit_no_delete BEFORE DELETE ON audit
WHEN NOT EXISTS (SELECT 1 FROM marks WHERE id = 'audit-pruning') BEGIN
    SELECT RAISE(ABORT, 'the audit log is append-only; the host prunes it by [audit] keep_days');
END;
