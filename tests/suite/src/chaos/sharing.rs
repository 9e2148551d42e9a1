//! What tenants do with several projects and several volumes: transfers, groups and their snapshots.

use std::time::Duration;

use rand::Rng as _;
use reqwest::Method;
use serde_json::json;
use tokio::time::Instant;

use super::cloud::{PROJECT, list, text};
use super::tenant::{PATIENCE, Tenant};

/// The project that volumes are given to and taken back from.
const OTHER: &str = "fedcba9876543210fedcba9876543210";

impl Tenant {
    /// To another project and back.
    pub(super) async fn transfer(&mut self, name: &str) {
        if !self.detach(name).await {
            return;
        }
        let Some(id) = self.id(name) else { return };
        for (from, to) in [(PROJECT, OTHER), (OTHER, PROJECT)] {
            let body = json!({"transfer": {"volume_id": id, "name": name}});
            let path = "/v3/volume-transfers";
            let made = self
                .chaos
                .cloud
                .send_as(from, Method::POST, path, Some(&body))
                .await;
            let Some((_, made)) = made else { return };
            let (transfer, key) = (
                text(&made, "/transfer/id"),
                text(&made, "/transfer/auth_key"),
            );
            if transfer.is_empty() {
                return;
            }
            let body = json!({"accept": {"auth_key": key}});
            let accept = format!("{path}/{transfer}/accept");
            let accepted = self
                .chaos
                .cloud
                .send_as(to, Method::POST, &accept, Some(&body))
                .await;
            if !accepted.is_some_and(|(status, _)| status.is_success()) {
                let path = format!("{path}/{transfer}");
                self.chaos
                    .cloud
                    .send_as(from, Method::DELETE, &path, None)
                    .await;
                return;
            }
        }
    }

    /// Into the tenant's group or out of it; a group is made first, and sometimes held fast in a snapshot.
    pub(super) async fn regroup(&mut self, name: &str) {
        let Some(id) = self.id(name) else { return };
        let Some(group) = self.group.clone() else {
            let kind = self.kind();
            let body = json!({"group": {
                "name": self.name, "group_type": self.chaos.group_type, "volume_types": [kind, format!("{kind}-plain")],
            }});
            let made = self.chaos.cloud.post("/v3/groups", &body).await;
            self.group = made.map(|made| text(&made, "/group/id").to_owned());
            return;
        };
        let path = format!("/v3/groups/{group}?list_volume=true");
        let Some(seen) = self.chaos.cloud.get(&path).await else {
            return;
        };
        let member = list(&seen, "/group/volumes")
            .iter()
            .any(|one| one == &json!(id));
        if member && self.rng.random_range(0..2) == 0 {
            let body = json!({"group_snapshot": {"group_id": group, "name": self.name}});
            let made = self.chaos.cloud.post("/v3/group_snapshots", &body).await;
            let Some(taken) = made.map(|made| text(&made, "/group_snapshot/id").to_owned()) else {
                return;
            };
            let path = format!("/v3/group_snapshots/{taken}");
            let end = Instant::now() + PATIENCE;
            while Instant::now() < end && self.chaos.goes_on() {
                let seen = self.chaos.cloud.get(&path).await.unwrap_or_default();
                if text(&seen, "/group_snapshot/status") != "creating" {
                    break;
                }
                tokio::time::sleep(Duration::from_millis(40)).await;
            }
            self.chaos.cloud.send(Method::DELETE, &path, None).await;
            return;
        }
        let field = if member {
            "remove_volumes"
        } else {
            "add_volumes"
        };
        let body = json!({"group": { field: id }});
        let path = format!("/v3/groups/{group}");
        self.chaos.cloud.send(Method::PUT, &path, Some(&body)).await;
    }
}
