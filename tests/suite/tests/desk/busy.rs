//! Somebody who goes on using the cloud while operators work.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use reqwest::Method;
use springform_suite::site::SERVICE;
use tokio::time::Instant;

use super::{Desk, PATIENCE};

/// Somebody who goes on using the cloud.
pub struct Busy {
    stop: Arc<AtomicBool>,
    task: tokio::task::JoinHandle<u32>,
}

impl Busy {
    /// How often it was used; fails where something did not succeed.
    pub async fn stops(self) -> u32 {
        self.stop.store(true, Ordering::SeqCst);
        self.task.await.unwrap()
    }
}

impl Desk {
    /// Somebody goes on looking at a volume and its service; none of that may fail.
    pub fn goes_on_asking(&self) -> Busy {
        let cloud = self.cloud.clone();
        let stop = Arc::new(AtomicBool::new(false));
        let stops = stop.clone();
        let known = self.volume.clone();
        let task = tokio::spawn(async move {
            let mut rounds = 0;
            while !stops.load(Ordering::SeqCst) {
                cloud.volume(&known).await.unwrap();
                cloud.service(SERVICE).await.unwrap();
                rounds += 1;
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
            rounds
        });
        Busy { stop, task }
    }

    /// The same with volumes that are made and deleted.
    pub fn goes_on_making(&self) -> Busy {
        let cloud = self.cloud.clone();
        let stop = Arc::new(AtomicBool::new(false));
        let stops = stop.clone();
        let task = tokio::spawn(async move {
            let mut rounds = 0;
            while !stops.load(Ordering::SeqCst) {
                let made = cloud.create_volume("another", 1, "replicated").await;
                let id = made.unwrap();
                cloud.volume_becomes(&id, "available").await.unwrap();
                let path = format!("/v3/volumes/{id}");
                cloud.ask(Method::DELETE, &path, None).await.unwrap();
                let deadline = Instant::now() + PATIENCE;
                while let Ok(volume) = cloud.volume(&id).await {
                    assert_eq!(volume["status"], "deleting");
                    assert!(Instant::now() < deadline, "{volume}");
                    tokio::time::sleep(Duration::from_millis(10)).await;
                }
                rounds += 1;
            }
            rounds
        });
        Busy { stop, task }
    }
}
