-- Images whose content is in a volume, from which volumes of the image are cloned.
CREATE TABLE images (
    id TEXT PRIMARY KEY NOT NULL, revision INTEGER NOT NULL, doc TEXT NOT NULL,
    volume_id TEXT NOT NULL
) WITHOUT ROWID;
CREATE INDEX images_volume ON images (volume_id);
