-- One table for each noun: `doc` is the record as JSON and is the truth; the other columns are copies of the fields
-- that are filtered or sorted on. `revision` counts changes: a writer names the one it read.
CREATE TABLE volumes (
    id TEXT PRIMARY KEY NOT NULL, revision INTEGER NOT NULL, doc TEXT NOT NULL,
    project_id TEXT NOT NULL, user_id TEXT NOT NULL, name TEXT, description TEXT, status TEXT NOT NULL, size INTEGER NOT NULL,
    type_id TEXT, type_name TEXT, backend TEXT, host TEXT, availability_zone TEXT NOT NULL, group_id TEXT, snapshot_id TEXT,
    source_volid TEXT, bootable INTEGER NOT NULL, multiattach INTEGER NOT NULL, replication_status TEXT, migration_status TEXT,
    consumes_quota INTEGER NOT NULL, operation TEXT, transfer_id TEXT, created_at INTEGER NOT NULL, updated_at INTEGER,
    launched_at INTEGER
) WITHOUT ROWID;
CREATE INDEX volumes_created ON volumes (created_at, id);
CREATE INDEX volumes_project ON volumes (project_id, created_at, id);
CREATE INDEX volumes_quota ON volumes (project_id, consumes_quota, type_id, size);
CREATE INDEX volumes_name ON volumes (name);
CREATE INDEX volumes_backend ON volumes (backend, id);
CREATE INDEX volumes_status ON volumes (status, created_at, id);
CREATE INDEX volumes_group ON volumes (group_id) WHERE group_id IS NOT NULL;
CREATE INDEX volumes_type ON volumes (type_id);

CREATE TABLE snapshots (
    id TEXT PRIMARY KEY NOT NULL, revision INTEGER NOT NULL, doc TEXT NOT NULL,
    project_id TEXT NOT NULL, user_id TEXT NOT NULL, volume_id TEXT NOT NULL, name TEXT, description TEXT,
    status TEXT NOT NULL, size INTEGER NOT NULL, type_id TEXT, group_snapshot_id TEXT, backend TEXT,
    consumes_quota INTEGER NOT NULL, operation TEXT, created_at INTEGER NOT NULL, updated_at INTEGER
) WITHOUT ROWID;
CREATE INDEX snapshots_created ON snapshots (created_at, id);
CREATE INDEX snapshots_project ON snapshots (project_id, created_at, id);
CREATE INDEX snapshots_quota ON snapshots (project_id, consumes_quota, type_id, size);
CREATE INDEX snapshots_volume ON snapshots (volume_id, created_at);
CREATE INDEX snapshots_group ON snapshots (group_snapshot_id) WHERE group_snapshot_id IS NOT NULL;
CREATE INDEX snapshots_backend ON snapshots (backend, id);

CREATE TABLE attachments (
    id TEXT PRIMARY KEY NOT NULL, revision INTEGER NOT NULL, doc TEXT NOT NULL,
    project_id TEXT NOT NULL, volume_id TEXT NOT NULL, instance_id TEXT, host_name TEXT, status TEXT NOT NULL, mode TEXT,
    created_at INTEGER NOT NULL, updated_at INTEGER
) WITHOUT ROWID;
CREATE INDEX attachments_volume ON attachments (volume_id, created_at);
CREATE INDEX attachments_project ON attachments (project_id, created_at, id);
CREATE INDEX attachments_created ON attachments (created_at, id);
CREATE INDEX attachments_instance ON attachments (instance_id) WHERE instance_id IS NOT NULL;

CREATE TABLE services (
    id TEXT PRIMARY KEY NOT NULL, revision INTEGER NOT NULL, doc TEXT NOT NULL,
    host TEXT NOT NULL, created_at INTEGER NOT NULL, updated_at INTEGER
) WITHOUT ROWID;
CREATE UNIQUE INDEX services_host ON services (host);

CREATE TABLE volume_types (
    id TEXT PRIMARY KEY NOT NULL, revision INTEGER NOT NULL, doc TEXT NOT NULL,
    name TEXT NOT NULL, description TEXT, is_public INTEGER NOT NULL, qos_specs_id TEXT, created_at INTEGER NOT NULL,
    updated_at INTEGER
) WITHOUT ROWID;
CREATE UNIQUE INDEX volume_types_name ON volume_types (name);

CREATE TABLE qos_specs (
    id TEXT PRIMARY KEY NOT NULL, revision INTEGER NOT NULL, doc TEXT NOT NULL,
    name TEXT NOT NULL, created_at INTEGER NOT NULL, updated_at INTEGER
) WITHOUT ROWID;
CREATE UNIQUE INDEX qos_specs_name ON qos_specs (name);

CREATE TABLE group_types (
    id TEXT PRIMARY KEY NOT NULL, revision INTEGER NOT NULL, doc TEXT NOT NULL,
    name TEXT NOT NULL, description TEXT, is_public INTEGER NOT NULL, created_at INTEGER NOT NULL, updated_at INTEGER
) WITHOUT ROWID;
CREATE UNIQUE INDEX group_types_name ON group_types (name);

CREATE TABLE groups (
    id TEXT PRIMARY KEY NOT NULL, revision INTEGER NOT NULL, doc TEXT NOT NULL,
    project_id TEXT NOT NULL, name TEXT, description TEXT, status TEXT NOT NULL, group_type_id TEXT NOT NULL, backend TEXT,
    host TEXT, availability_zone TEXT NOT NULL, replication_status TEXT NOT NULL, group_snapshot_id TEXT,
    source_group_id TEXT, operation TEXT, created_at INTEGER NOT NULL, updated_at INTEGER
) WITHOUT ROWID;
CREATE INDEX groups_project ON groups (project_id, created_at, id);
CREATE INDEX groups_backend ON groups (backend, id);

CREATE TABLE group_snapshots (
    id TEXT PRIMARY KEY NOT NULL, revision INTEGER NOT NULL, doc TEXT NOT NULL,
    project_id TEXT NOT NULL, group_id TEXT NOT NULL, name TEXT, description TEXT, status TEXT NOT NULL,
    group_type_id TEXT NOT NULL, operation TEXT, created_at INTEGER NOT NULL, updated_at INTEGER
) WITHOUT ROWID;
CREATE INDEX group_snapshots_project ON group_snapshots (project_id, created_at, id);
CREATE INDEX group_snapshots_group ON group_snapshots (group_id);

CREATE TABLE quota_sets (
    id TEXT PRIMARY KEY NOT NULL, revision INTEGER NOT NULL, doc TEXT NOT NULL
) WITHOUT ROWID;

CREATE TABLE messages (
    id TEXT PRIMARY KEY NOT NULL, revision INTEGER NOT NULL, doc TEXT NOT NULL,
    project_id TEXT NOT NULL, event_id TEXT NOT NULL, level TEXT NOT NULL, request_id TEXT, resource_type TEXT NOT NULL,
    resource_uuid TEXT, created_at INTEGER NOT NULL, expires_at INTEGER NOT NULL
) WITHOUT ROWID;
CREATE INDEX messages_project ON messages (project_id, created_at, id);
CREATE INDEX messages_expires ON messages (expires_at);

CREATE TABLE transfers (
    id TEXT PRIMARY KEY NOT NULL, revision INTEGER NOT NULL, doc TEXT NOT NULL,
    volume_id TEXT NOT NULL, source_project_id TEXT NOT NULL, name TEXT, accepted INTEGER NOT NULL,
    created_at INTEGER NOT NULL, updated_at INTEGER
) WITHOUT ROWID;
CREATE INDEX transfers_project ON transfers (source_project_id, created_at, id);

CREATE TABLE operations (
    id TEXT PRIMARY KEY NOT NULL, revision INTEGER NOT NULL, doc TEXT NOT NULL,
    verb TEXT NOT NULL, state TEXT NOT NULL, open INTEGER NOT NULL, backend TEXT, subject_kind TEXT NOT NULL,
    subject TEXT NOT NULL, project_id TEXT NOT NULL, request_id TEXT, created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL, finished_at INTEGER
) WITHOUT ROWID;
CREATE INDEX operations_open ON operations (open) WHERE open = 1;
CREATE INDEX operations_created ON operations (created_at, id);
CREATE INDEX operations_subject ON operations (subject, created_at);
CREATE INDEX operations_finished ON operations (finished_at) WHERE finished_at IS NOT NULL;

CREATE TABLE generations (
    id TEXT PRIMARY KEY NOT NULL, revision INTEGER NOT NULL, doc TEXT NOT NULL,
    driver TEXT NOT NULL, number INTEGER NOT NULL, state TEXT NOT NULL, created_at INTEGER NOT NULL
) WITHOUT ROWID;
CREATE UNIQUE INDEX generations_number ON generations (driver, number);

CREATE TABLE secrets (
    id TEXT PRIMARY KEY NOT NULL, revision INTEGER NOT NULL, doc TEXT NOT NULL
) WITHOUT ROWID;
