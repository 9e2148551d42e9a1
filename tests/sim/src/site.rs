//! A control plane in a directory, on an array that is a file there: a process that runs it can be killed and started again.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use springform_control::volumes::CreateVolume;
use springform_control::{BackendConfig, Caller, Clock, Control, ControlConfig, DriverConfig};
use springform_model::cloud::Volume;
use springform_model::operation::Operation;
use springform_store::{Durability, Query, Store, StoreOptions};

use crate::keeper::Keeper;
use crate::nouns::BACKEND;

/// Id of the request that the host is killed in.
const REQUEST: &str = "crash";

/// A control plane with one backend.
pub struct Site {
    /// The control plane itself.
    pub control: Control,
    /// In whose name requests are made.
    pub caller: Caller,
}

impl Site {
    /// Opens the one in a directory, on this array, and waits until its backend is up.
    pub async fn open(dir: &Path, keeper: Keeper) -> Self {
        let options = StoreOptions {
            durability: Durability::Process,
            ..StoreOptions::default()
        };
        let store = Store::open_with(&dir.join("springform.db"), options)
            .await
            .unwrap();
        let targets = keeper.targets();
        let config = ControlConfig {
            drivers: vec![DriverConfig {
                name: "keeper".into(),
                path: "keeper".into(),
            }],
            backends: vec![BackendConfig::new(BACKEND, "keeper", targets)],
            ..ControlConfig::default()
        };
        let control = Control::start(config, store, Arc::new(keeper), Clock::system())
            .await
            .unwrap();
        let site = Self {
            control,
            caller: Caller::new("u", "p", vec!["admin".into()]),
        };
        site.until(|| async { site.control.backends().all(|b| b.status().is_up()) })
            .await;
        site
    }

    /// Waits until something has happened.
    pub async fn until<F: Future<Output = bool>>(&self, happened: impl Fn() -> F) {
        let waiting = async {
            while !happened().await {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        };
        tokio::time::timeout(Duration::from_secs(120), waiting)
            .await
            .expect("it never happened");
    }

    /// All records of a noun.
    pub async fn all<T: springform_store::Record>(&self) -> Vec<T> {
        let found = self.control.store().list::<T>(&Query::new()).await.unwrap();
        found.into_iter().map(|stored| stored.record).collect()
    }

    /// Waits until no operation is open.
    pub async fn quiet(&self) {
        self.until(|| async {
            let all = self.all::<Operation>().await;
            all.iter().all(|o| o.state.is_terminal())
        })
        .await;
    }

    /// The id of a volume.
    pub async fn named(&self, name: &str) -> String {
        let all = self.all::<Volume>().await;
        let found = all.into_iter().find(|v| v.name.as_deref() == Some(name));
        found.unwrap().id
    }

    /// Asks for a volume of one GiB.
    pub async fn volume(&self, name: &str, group: Option<String>) {
        let wanted = CreateVolume {
            size: 1,
            name: Some(name.into()),
            volume_type: Some("gold".into()),
            group_id: group,
            ..CreateVolume::default()
        };
        let volumes = self.control.volumes();
        volumes.create(&self.caller, wanted).await.unwrap();
    }

    /// Lets what is open be resumed; then asks, unless that was done before the last death.
    pub async fn ask_once(&mut self, ask: impl AsyncFnOnce(&Self)) {
        self.quiet().await;
        let known = self.all::<Operation>().await;
        let asked = |o: &Operation| o.request_id.as_deref() == Some(REQUEST);
        if !known.iter().any(asked) {
            self.caller.request_id = Some(REQUEST.into());
            ask(self).await;
            self.quiet().await;
        }
    }
}
