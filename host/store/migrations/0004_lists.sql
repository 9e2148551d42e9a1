-- What lists are filtered and sorted on has an index of its own, so that no page reads more rows than it shows. What is
-- sorted on is never null: a name that is none is empty, a change that was none is at 0.
ALTER TABLE volumes ADD COLUMN array_name TEXT;
ALTER TABLE volumes ADD COLUMN claimed INTEGER NOT NULL DEFAULT 0;
UPDATE volumes SET name = COALESCE(name, ''), host = COALESCE(host, ''), updated_at = COALESCE(updated_at, 0),
    array_name = json_extract(doc, '$.placement.array_name'), claimed = size;
ALTER TABLE snapshots ADD COLUMN array_name TEXT;
UPDATE snapshots SET name = COALESCE(name, ''), updated_at = COALESCE(updated_at, 0),
    array_name = json_extract(doc, '$.array_name');
UPDATE attachments SET updated_at = COALESCE(updated_at, 0);
UPDATE groups SET name = COALESCE(name, ''), updated_at = COALESCE(updated_at, 0);
UPDATE group_snapshots SET name = COALESCE(name, ''), updated_at = COALESCE(updated_at, 0);
UPDATE transfers SET name = COALESCE(name, ''), updated_at = COALESCE(updated_at, 0);
UPDATE services SET updated_at = COALESCE(updated_at, 0);
UPDATE volume_types SET updated_at = COALESCE(updated_at, 0);
UPDATE qos_specs SET updated_at = COALESCE(updated_at, 0);
UPDATE group_types SET updated_at = COALESCE(updated_at, 0);

DROP INDEX volumes_quota;
CREATE INDEX volumes_quota ON volumes (project_id, consumes_quota, type_id, claimed, size);
CREATE INDEX volumes_array ON volumes (backend, array_name) WHERE array_name IS NOT NULL;
DROP INDEX volumes_name;
CREATE INDEX volumes_name ON volumes (name, id);
CREATE INDEX volumes_project_name ON volumes (project_id, name, id);
CREATE INDEX volumes_project_status ON volumes (project_id, status, created_at, id);
CREATE INDEX volumes_size ON volumes (size, id);
CREATE INDEX volumes_project_size ON volumes (project_id, size, id);
CREATE INDEX volumes_updated ON volumes (updated_at, id);
CREATE INDEX volumes_project_updated ON volumes (project_id, updated_at, id);
CREATE INDEX volumes_zone ON volumes (availability_zone, id);
CREATE INDEX volumes_project_zone ON volumes (project_id, availability_zone, id);
CREATE INDEX volumes_bootable ON volumes (bootable, id);
CREATE INDEX volumes_project_bootable ON volumes (project_id, bootable, id);
CREATE INDEX volumes_host ON volumes (host, id);
CREATE INDEX volumes_project_host ON volumes (project_id, host, id);
CREATE INDEX volumes_by_status ON volumes (status, id);
CREATE INDEX volumes_project_by_status ON volumes (project_id, status, id);
CREATE INDEX volumes_project_id ON volumes (project_id, id);
CREATE INDEX volumes_source ON volumes (source_volid, id) WHERE source_volid IS NOT NULL;
CREATE INDEX volumes_snapshot ON volumes (snapshot_id, id) WHERE snapshot_id IS NOT NULL;

DROP INDEX snapshots_volume;
CREATE INDEX snapshots_volume ON snapshots (volume_id, created_at, id);
CREATE INDEX snapshots_by_volume ON snapshots (volume_id, id);
CREATE INDEX snapshots_project_volume ON snapshots (project_id, volume_id, id);
CREATE INDEX snapshots_array ON snapshots (backend, array_name) WHERE array_name IS NOT NULL;
CREATE INDEX snapshots_name ON snapshots (name, id);
CREATE INDEX snapshots_project_name ON snapshots (project_id, name, id);
CREATE INDEX snapshots_status ON snapshots (status, created_at, id);
CREATE INDEX snapshots_project_status ON snapshots (project_id, status, created_at, id);
CREATE INDEX snapshots_by_status ON snapshots (status, id);
CREATE INDEX snapshots_project_by_status ON snapshots (project_id, status, id);
CREATE INDEX snapshots_size ON snapshots (size, id);
CREATE INDEX snapshots_project_size ON snapshots (project_id, size, id);
CREATE INDEX snapshots_updated ON snapshots (updated_at, id);
CREATE INDEX snapshots_project_updated ON snapshots (project_id, updated_at, id);
CREATE INDEX snapshots_project_id ON snapshots (project_id, id);

DROP INDEX attachments_volume;
CREATE INDEX attachments_volume ON attachments (volume_id, created_at, id);
CREATE INDEX attachments_status ON attachments (status, created_at, id);
CREATE INDEX attachments_project_status ON attachments (project_id, status, created_at, id);
CREATE INDEX attachments_project_id ON attachments (project_id, id);
CREATE INDEX groups_created ON groups (created_at, id);
CREATE INDEX group_snapshots_created ON group_snapshots (created_at, id);
CREATE INDEX messages_created ON messages (created_at, id);
CREATE INDEX transfers_created ON transfers (created_at, id);

-- The volume type that volumes of a project get when none is named; `id` is the project.
CREATE TABLE default_types (
    id TEXT PRIMARY KEY NOT NULL, revision INTEGER NOT NULL, doc TEXT NOT NULL,
    type_id TEXT NOT NULL
) WITHOUT ROWID;
CREATE INDEX default_types_type ON default_types (type_id);
