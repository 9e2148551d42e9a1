//! The schema, brought up to date one step after the other.
//!
//! Which steps a database has taken is kept in the table, and in the form, of `sqlx`, which the first releases used: what one of
//! them left is read here, and one of them understands what is left here.

use std::path::Path;

use rusqlite::{Connection, params};
use sha2::{Digest as _, Sha384};
use tokio::time::Instant;

use crate::error::{OpenError, refused};

/// One step: its number, what it is called and what it does. A step that was released is never changed.
struct Migration {
    version: i64,
    description: &'static str,
    text: &'static str,
}

macro_rules! migrations {
    ($($version:literal $description:literal $file:literal,)*) => {
        &[$(Migration {
            version: $version,
            description: $description,
            text: include_str!(concat!("../migrations/", $file)),
        }),*]
    };
}

/// In the order of their numbers.
const MIGRATIONS: &[Migration] = migrations! {
    1 "nouns" "0001_nouns.sql",
    2 "documents" "0002_documents.sql",
    3 "outbox receiver" "0003_outbox_receiver.sql",
    4 "lists" "0004_lists.sql",
    5 "orders" "0005_orders.sql",
    6 "marks" "0006_marks.sql",
    7 "obligations" "0007_obligations.sql",
    8 "images" "0008_images.sql",
    9 "audit" "0009_audit.sql",
};

/// As `sqlx` makes it, byte for byte.
const TABLE: &str = "CREATE TABLE IF NOT EXISTS _sqlx_migrations (
    version BIGINT PRIMARY KEY,
    description TEXT NOT NULL,
    installed_on TIMESTAMP NOT NULL DEFAULT CURRENT_TIMESTAMP,
    success BOOLEAN NOT NULL,
    checksum BLOB NOT NULL,
    execution_time BIGINT NOT NULL
);";

/// Takes every step that this database has not taken.
///
/// # Errors
/// [`OpenError::NewerSchema`] where it has taken one that this release does not know; nothing is changed then.
pub(crate) fn migrate(path: &Path, connection: &Connection) -> Result<(), OpenError> {
    let failed = |error: rusqlite::Error| refused(path, &error);
    connection.execute_batch(TABLE).map_err(failed)?;
    let taken = taken(connection).map_err(failed)?;
    let other = |reason: String| OpenError::Other {
        path: path.to_owned(),
        reason,
    };
    if let Some(half) = taken.iter().find(|step| !step.success) {
        let version = half.version;
        return Err(other(format!(
            "migration {version} was begun and not finished"
        )));
    }
    let known = |version| MIGRATIONS.iter().find(|known| known.version == version);
    if let Some(newer) = taken.iter().find(|step| known(step.version).is_none()) {
        return Err(OpenError::NewerSchema {
            path: path.to_owned(),
            found: newer.version,
            known: MIGRATIONS.last().map_or(0, |last| last.version),
        });
    }
    for migration in MIGRATIONS {
        let version = migration.version;
        match taken.iter().find(|step| step.version == version) {
            Some(step) if step.checksum == migration.checksum() => {}
            Some(_) => {
                return Err(other(format!(
                    "migration {version} was another one when it was made"
                )));
            }
            None => take(connection, migration).map_err(failed)?,
        }
    }
    Ok(())
}

/// A step that a database has taken.
struct Taken {
    version: i64,
    success: bool,
    checksum: Vec<u8>,
}

fn taken(connection: &Connection) -> rusqlite::Result<Vec<Taken>> {
    let text = "SELECT version, success, checksum FROM _sqlx_migrations ORDER BY version";
    let mut statement = connection.prepare(text)?;
    let rows = statement.query_map((), |row| {
        Ok(Taken {
            version: row.get(0)?,
            success: row.get(1)?,
            checksum: row.get(2)?,
        })
    })?;
    rows.collect()
}

/// The step and the row that tells of it are one transaction: none is taken twice.
fn take(connection: &Connection, migration: &Migration) -> rusqlite::Result<()> {
    let began = Instant::now();
    let transaction = connection.unchecked_transaction()?;
    transaction.execute_batch(migration.text)?;
    let text = "INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time) \
                VALUES (?, ?, TRUE, ?, ?)";
    let spent = i64::try_from(began.elapsed().as_nanos()).unwrap_or(i64::MAX);
    let (version, description) = (migration.version, migration.description);
    let binds = params![version, description, migration.checksum(), spent];
    transaction.execute(text, binds)?;
    transaction.commit()
}

impl Migration {
    fn checksum(&self) -> Vec<u8> {
        Sha384::digest(self.text).to_vec()
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    /// Checksums that `sqlx` wrote into databases of released hosts.
    const RELEASED: &[&str] = &[
        "3058b4aba24c423824c1f94920abc948b5f17f703536adf92e444f30b8e313d27df83aed99b2b6d64d10a2d1ce60aba7",
        "0bcdd68fcded41b32fd3cb499eb0d89d3e60218dc2e969843bd631b8a4fb5cb2a07f577f0085e2306192aad2cdcee5a5",
        "cc1af24fd517db3a582ed0ec1d1208b1421fda9fcdbfe18049396d1e39119a65f394417349db390f2d7067e00d5913d3",
        "cf904f0c7199207be0e755502cfa4c7d66e3a5b3675ae5c03391fa7bed062db7bda0d5096f8285ce711bb24c16923bdf",
        "2477b118bae7051d6d5d2abe16de59698059035dabbc083246637156227978dc70f4c3b2ed700c1f9587bc05123ad3b0",
        "a0c49cf699b59294f2fc3f98052a2f7c5af11cdeba5539aafe56d3f7e74727e39da47c78a716e7c4cb653edcb3c8a282",
        "33f10bce8559ed3798c5937ba28e36a35693a44c0e4b99560ba4710acee1dfc84b4787f27888f7323c1f0a703917cc77",
        "9746b1ab17a247c7e0bc61fcb9850d0b4da8ed04fa23db9b5ee4bb324e1affe15cae6ff5afe1e6519cd6b03ca10a7cda",
        "38ae4054854858719ef8980e183263735463a23c1361cbd0a7dfbb45a4271219e3da337622da8ace35f299f32da14848",
    ];

    fn fresh() -> Connection {
        let connection = Connection::open_in_memory().unwrap();
        migrate(Path::new("db"), &connection).unwrap();
        connection
    }

    fn steps(connection: &Connection) -> Vec<(i64, String, bool, String)> {
        let text =
            "SELECT version, description, success, lower(hex(checksum)) FROM _sqlx_migrations";
        let mut statement = connection.prepare(text).unwrap();
        let rows = statement.query_map((), |row| {
            Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?))
        });
        rows.unwrap().map(Result::unwrap).collect()
    }

    #[test]
    fn every_step_of_the_folder_is_known_by_its_name() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("migrations");
        let files = std::fs::read_dir(folder).unwrap();
        let mut files: Vec<String> = files
            .map(|file| file.unwrap().file_name().into_string().unwrap())
            .collect();
        files.sort();
        let known = MIGRATIONS.iter().map(|known| {
            let name = known.description.replace(' ', "_");
            format!("{:04}_{name}.sql", known.version)
        });
        assert_eq!(files, known.collect::<Vec<_>>());
    }

    #[test]
    fn a_fresh_database_tells_its_steps_as_released_hosts_do() {
        let connection = fresh();
        let steps = steps(&connection);
        assert_eq!(steps.len(), MIGRATIONS.len());
        for ((step, known), n) in steps.iter().zip(MIGRATIONS).zip(1..) {
            assert_eq!(
                (step.0, step.1.as_str(), step.2),
                (n, known.description, true)
            );
        }
        let sums = steps.iter().map(|(.., sum)| sum.as_str());
        assert!(sums.take(RELEASED.len()).eq(RELEASED.iter().copied()));
        let text = "SELECT installed_on IS NOT NULL AND execution_time >= 0 FROM _sqlx_migrations";
        assert!(
            connection
                .query_row(text, (), |row| row.get::<_, bool>(0))
                .unwrap()
        );
    }

    #[test]
    fn a_database_goes_on_where_it_stopped_and_takes_no_step_twice() {
        let connection = Connection::open_in_memory().unwrap();
        connection.execute_batch(TABLE).unwrap();
        for migration in MIGRATIONS.iter().take(5) {
            take(&connection, migration).unwrap();
        }
        // As a released host leaves it between a step and the time that it took.
        let begun = "UPDATE _sqlx_migrations SET execution_time = -1 WHERE version = 5";
        connection.execute(begun, ()).unwrap();
        for _ in 0..2 {
            migrate(Path::new("db"), &connection).unwrap();
            assert_eq!(steps(&connection), steps(&fresh()));
        }
    }

    #[test]
    fn a_step_that_is_unknown_changed_or_half_taken_is_refused_and_nothing_is_done() {
        let newer =
            "INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time)
                     VALUES (9999, 'later', 1, x'00', 1)";
        let changed = "UPDATE _sqlx_migrations SET checksum = x'00' WHERE version = 2";
        let half = "UPDATE _sqlx_migrations SET success = 0 WHERE version = 3";
        for (statement, is_newer) in [(newer, true), (changed, false), (half, false)] {
            let connection = fresh();
            connection.execute(statement, ()).unwrap();
            let before = steps(&connection);
            match migrate(Path::new("db"), &connection) {
                Err(OpenError::NewerSchema { found, known, .. }) => {
                    assert!(is_newer);
                    assert_eq!((found, known), (9999, MIGRATIONS.len() as i64));
                }
                Err(OpenError::Other { .. }) => assert!(!is_newer),
                other => assert!(other.is_err(), "{statement}"),
            }
            assert_eq!(steps(&connection), before);
        }
    }

    #[test]
    fn a_step_that_fails_leaves_nothing_behind() {
        let connection = fresh();
        let broken = Migration {
            version: 1000,
            description: "broken",
            text: "CREATE TABLE half (id TEXT); CREATE TABLE volumes (id TEXT);",
        };
        assert!(take(&connection, &broken).is_err());
        assert_eq!(steps(&connection), steps(&fresh()));
        assert!(connection.prepare("SELECT id FROM half").is_err());
    }
}
