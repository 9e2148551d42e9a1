//! The real MariaDB and PostgreSQL, in which a real Cinder keeps what is imported.

use std::path::PathBuf;

use crate::debian;

/// Where the judges look for the servers, see `tests/upstream/databases.py`.
pub const VARIABLE: &str = "SPRINGFORM_DATABASES";

/// Servers and programs that write dumps, and the libraries of them that a small machine lacks.
const PACKAGES: [&str; 11] = [
    "mariadb-server-core",
    "mariadb-server",
    "mariadb-client-core",
    "mariadb-client",
    "postgresql-15",
    "postgresql-client-15",
    "libpq5",
    "libldap-2.5-0",
    "libnuma1",
    "liburing2",
    "libedit2",
];

const FILES: [&str; 3] = [
    "usr/sbin/mariadbd",
    "usr/bin/mariadb-dump",
    "usr/lib/postgresql/15/bin/postgres",
];

/// The folder below which they are unpacked.
pub fn folder() -> anyhow::Result<PathBuf> {
    debian::unpacked("databases", &PACKAGES, &FILES)
}
