-- Facts about the database itself, one row each: that it is a backup, that it was restored.
CREATE TABLE marks (
    id TEXT PRIMARY KEY NOT NULL, revision INTEGER NOT NULL, doc TEXT NOT NULL
) WITHOUT ROWID;

-- Which operations hold records is asked every few seconds.
CREATE INDEX volumes_held ON volumes (operation) WHERE operation IS NOT NULL;
CREATE INDEX snapshots_held ON snapshots (operation) WHERE operation IS NOT NULL;
CREATE INDEX groups_held ON groups (operation) WHERE operation IS NOT NULL;
CREATE INDEX group_snapshots_held ON group_snapshots (operation) WHERE operation IS NOT NULL;
