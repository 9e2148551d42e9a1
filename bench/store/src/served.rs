//! The same through the store, as a host uses it: clients are tasks, and wait for each outcome.

use springform_model::cloud::Volume;
use springform_store::{Changes, Direction, Durability, Query, Store, StoreOptions, Stored};

use crate::volumes::{COUNT, change, id, volume};

/// A store with volumes in it.
pub struct Served {
    store: Store,
    folder: tempfile::TempDir,
}

impl Served {
    /// Makes one.
    pub async fn new(durability: Durability) -> anyhow::Result<Self> {
        let folder = tempfile::tempdir()?;
        let options = StoreOptions {
            durability,
            ..StoreOptions::default()
        };
        let store = Store::open_with(&folder.path().join("db"), options).await?;
        for n in 0..COUNT {
            let changes = Changes::new().insert(&volume(n)?);
            store.commit(changes).await?;
        }
        Ok(Self { store, folder })
    }

    /// Closes it, and gives back the folder with its file.
    pub async fn close(self) -> tempfile::TempDir {
        self.store.close().await;
        self.folder
    }

    /// Commits of three updates each, by so many clients, each with volumes of its own.
    pub async fn commits(&self, rounds: usize, clients: usize) -> anyhow::Result<()> {
        let mut tasks = tokio::task::JoinSet::new();
        let own = COUNT / clients / 3 * 3;
        for client in 0..clients {
            let store = self.store.clone();
            let rounds = rounds / clients + usize::from(client < rounds % clients);
            tasks.spawn(async move {
                let ids: Vec<String> = (client * own..(client + 1) * own).map(id).collect();
                let mut read: Vec<Stored<Volume>> = store.get_many(&ids).await?;
                for round in 0..rounds {
                    let from = round * 3 % own;
                    let mut changes = Changes::new();
                    for stored in read.iter_mut().skip(from).take(3) {
                        change(&mut stored.record, round);
                        changes = changes.update(stored);
                        stored.revision += 1;
                    }
                    store.commit(changes).await?;
                }
                anyhow::Ok(())
            });
        }
        tasks.join_all().await.into_iter().collect()
    }

    /// Reads of one volume after the other, among so many.
    pub async fn reads(&self, rounds: usize, among: usize) -> anyhow::Result<()> {
        let store = self.store.clone();
        let read = tokio::spawn(async move {
            for round in 0..rounds {
                let found = store.get::<Volume>(&id(round * 7 % among)).await?;
                anyhow::ensure!(found.is_some(), "a volume is gone");
            }
            Ok(())
        });
        read.await?
    }

    /// Lists of 1,000.
    pub async fn lists(&self, rounds: usize) -> anyhow::Result<()> {
        let query = Query::new().sort("created_at", Direction::Desc).limit(1000);
        self.list(rounds, query, 1000).await
    }

    /// Lists of one.
    pub async fn few(&self, rounds: usize) -> anyhow::Result<()> {
        let query = Query::new().eq("name", "volume-77");
        self.list(rounds, query, 1).await
    }

    async fn list(&self, rounds: usize, query: Query, expected: usize) -> anyhow::Result<()> {
        let store = self.store.clone();
        let read = tokio::spawn(async move {
            for _ in 0..rounds {
                let found = store.list::<Volume>(&query).await?.len();
                anyhow::ensure!(found == expected, "{found} volumes");
            }
            Ok(())
        });
        read.await?
    }
}
