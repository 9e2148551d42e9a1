//! The least that it can take: the statements that come to everybody's mind, prepared once, on a connection of this thread.

use rusqlite::{Connection, params};
use springform_model::cloud::Volume;
use springform_store::{Durability, Record as _};

use crate::served::Served;
use crate::volumes::{COUNT, change, id, volume};

/// A file as a store left it.
pub struct Floor {
    connection: Connection,
    _folder: tempfile::TempDir,
}

impl Floor {
    /// Makes one.
    pub async fn new(durability: Durability) -> anyhow::Result<Self> {
        let folder = Served::new(Durability::Process).await?.close().await;
        let connection = Connection::open(folder.path().join("db"))?;
        let synchronous = match durability {
            Durability::Power => "FULL",
            Durability::Process => "NORMAL",
        };
        connection.execute_batch(&format!(
            "PRAGMA journal_mode = WAL; PRAGMA synchronous = {synchronous}; PRAGMA cache_size = -4000;"
        ))?;
        Ok(Self {
            connection,
            _folder: folder,
        })
    }

    /// Transactions of three updates each.
    pub fn commits(&self, rounds: usize) -> anyhow::Result<()> {
        let mut all = (0..COUNT).map(volume).collect::<Result<Vec<_>, _>>()?;
        let text = "UPDATE volumes SET revision = revision + 1, doc = ?, updated_at = ?, operation = ? WHERE id = ?";
        let mut update = self.connection.prepare(text)?;
        for round in 0..rounds {
            self.connection.execute_batch("BEGIN IMMEDIATE")?;
            for volume in all.iter_mut().skip(round * 3 % COUNT).take(3) {
                change(volume, round);
                let doc = serde_json::to_string(volume)?;
                let at = volume.updated_at.unwrap_or_default().0;
                update.execute(params![doc, at, volume.operation, volume.id()])?;
            }
            self.connection.execute_batch("COMMIT")?;
        }
        Ok(())
    }

    /// Reads of one volume after the other, among so many.
    pub fn reads(&self, rounds: usize, among: usize) -> anyhow::Result<()> {
        let mut select = self
            .connection
            .prepare("SELECT doc FROM volumes WHERE id = ?")?;
        for round in 0..rounds {
            let doc = select.query_row((id(round * 7 % among),), |row| row.get::<_, String>(0))?;
            serde_json::from_str::<Volume>(&doc)?;
        }
        Ok(())
    }

    /// Lists of 1,000.
    pub fn lists(&self, rounds: usize) -> anyhow::Result<()> {
        let text = "SELECT doc FROM volumes ORDER BY created_at DESC, id DESC LIMIT 1000";
        self.list(rounds, text, 1000)
    }

    /// Lists of one.
    pub fn few(&self, rounds: usize) -> anyhow::Result<()> {
        let text = "SELECT doc FROM volumes WHERE name = 'volume-77' ORDER BY id";
        self.list(rounds, text, 1)
    }

    fn list(&self, rounds: usize, text: &str, expected: usize) -> anyhow::Result<()> {
        let mut select = self.connection.prepare(text)?;
        for _ in 0..rounds {
            let mut found = Vec::new();
            let mut rows = select.query(())?;
            while let Some(row) = rows.next()? {
                found.push(serde_json::from_str::<Volume>(row.get_ref(0)?.as_str()?)?);
            }
            anyhow::ensure!(found.len() == expected, "{} volumes", found.len());
        }
        Ok(())
    }
}
