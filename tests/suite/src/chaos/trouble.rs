//! What goes wrong: one hand on the host and its disk, one on the arrays and what is between them.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use flasharray_sim::fault::{FaultKind, FaultSpec};
use rand::rngs::StdRng;
use rand::seq::IndexedRandom as _;
use rand::{Rng as _, SeedableRng as _};
use reqwest::Method;
use rustix::process::Resource;
use serde_json::{Value, json};

use super::Chaos;

/// How often the host is started again while its disk or its arrays do not let it.
const STARTS: u32 = 40;

/// Troubles of the host.
pub async fn of_the_host(chaos: Arc<Chaos>) {
    let mut rng = StdRng::seed_from_u64(chaos.seed.wrapping_mul(31).wrapping_add(1));
    while chaos.goes_on() {
        let pause = rng.random_range(1500..6000);
        tokio::time::sleep(Duration::from_millis(pause)).await;
        if !chaos.goes_on() {
            return;
        }
        let long = Duration::from_millis(rng.random_range(300..4000));
        match rng.random_range(0..100) {
            0..45 => kill(&chaos, long / 4).await,
            45..60 => {
                chaos.tell("the host stands still");
                chaos.place.host_stands_still(true).await;
                tokio::time::sleep(long).await;
                chaos.place.host_stands_still(false).await;
            }
            60..85 => {
                let left = if rng.random_range(0..2) == 0 {
                    0
                } else {
                    64 << 10
                };
                full(&chaos, left, long, rng.random_range(0..4) == 0).await;
            }
            _ => {
                chaos.tell("few descriptors");
                chaos
                    .place
                    .limit(Resource::Nofile, Some(rng.random_range(20..60)))
                    .await;
                tokio::time::sleep(long).await;
                chaos.place.limit(Resource::Nofile, Some(4096)).await;
            }
        }
    }
}

async fn kill(chaos: &Chaos, long: Duration) {
    chaos.tell("the host is killed");
    chaos.kills.fetch_add(1, Ordering::Relaxed);
    chaos.place.kill_host().await;
    tokio::time::sleep(long).await;
    start(chaos).await;
}

/// Starts the host, as a service manager does: again and again.
pub async fn start(chaos: &Chaos) {
    for _ in 0..STARTS {
        match chaos.place.start_host().await {
            Ok(()) => return,
            Err(why) => chaos.tell(&format!("the host does not start: {why:#}")),
        }
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
    chaos.violation("the host does not start".to_owned());
}

async fn full(chaos: &Chaos, left: u64, long: Duration, killed: bool) {
    chaos.tell(&format!("the disk is full but for {left} bytes"));
    if chaos.place.disk.is_small() {
        if let Err(why) = chaos.place.disk.fill(left) {
            chaos.tell(&format!("{why:#}"));
        }
    } else {
        chaos.place.limit(Resource::Fsize, Some(1)).await;
    }
    tokio::time::sleep(long).await;
    if killed {
        chaos.tell("the host is killed while its disk is full");
        chaos.kills.fetch_add(1, Ordering::Relaxed);
        chaos.place.kill_host().await;
    }
    chaos.place.disk.free();
    if !chaos.place.disk.is_small() {
        chaos.place.limit(Resource::Fsize, None).await;
    }
    start(chaos).await;
}

/// Troubles of the arrays.
pub async fn of_the_arrays(chaos: Arc<Chaos>, n: u64) {
    let mut rng = StdRng::seed_from_u64(chaos.seed.wrapping_mul(37).wrapping_add(n));
    while chaos.goes_on() {
        let pause = rng.random_range(800..4000);
        tokio::time::sleep(Duration::from_millis(pause)).await;
        if chaos.goes_on() {
            one_of_the_arrays(&chaos, &mut rng).await;
        }
    }
}

async fn one_of_the_arrays(chaos: &Chaos, rng: &mut StdRng) {
    let Some(arrays) = chaos.place.arrays.choose(rng) else {
        return;
    };
    let Some(array) = arrays.names.choose(rng) else {
        return;
    };
    let control = &arrays.control;
    let long = Duration::from_millis(rng.random_range(500..5000));
    let post = |path: String, body: Value| async move {
        // A simulator that stands still takes no orders; it is healed at the end.
        let _ = control.call(Method::POST, &path, &body).await;
    };
    match rng.random_range(0..100) {
        0..20 => {
            let silent = rng.random_range(0..2) == 0;
            chaos.tell(&format!("array {array} is dark, silent: {silent}"));
            post(
                format!("/arrays/{array}/power"),
                json!({"on": false, "silent": silent}),
            )
            .await;
            tokio::time::sleep(long).await;
            post(format!("/arrays/{array}/power"), json!({"on": true})).await;
        }
        20..32 => {
            chaos.tell(&format!("the arrays of {} stand still", arrays.kind.name));
            arrays.stand_still(true);
            tokio::time::sleep(long / 2).await;
            arrays.stand_still(false);
        }
        32..50 => {
            let other = arrays.names.iter().find(|other| *other != array);
            let Some(other) = other else { return };
            chaos.tell(&format!("the link of {array} and {other} is cut"));
            post(format!("/links/{array}/{other}"), json!({"up": false})).await;
            tokio::time::sleep(long).await;
            post(format!("/links/{array}/{other}"), json!({"up": true})).await;
        }
        50..58 => {
            chaos.tell(&format!("every session of {array} ends"));
            let path = format!("/arrays/{array}/sessions");
            let _ = control.call(Method::DELETE, &path, &Value::Null).await;
        }
        58..68 => {
            chaos.tell(&format!("array {array} is slow"));
            post(
                format!("/arrays/{array}/latency"),
                json!({"ms": 300, "jitter_ms": 900}),
            )
            .await;
            tokio::time::sleep(long).await;
            post(
                format!("/arrays/{array}/latency"),
                json!({"ms": 0, "jitter_ms": 0}),
            )
            .await;
        }
        _ => {
            let spec = fault(rng);
            chaos.tell(&format!("array {array}: {:?} {:?}", spec.kind, spec.status));
            let _ = control.fault(array, &spec).await;
            tokio::time::sleep(long).await;
            let _ = control.clear_faults(array).await;
        }
    }
}

fn fault(rng: &mut StdRng) -> FaultSpec {
    let kinds = [
        FaultKind::Refuse,
        FaultKind::Hang,
        FaultKind::DropAfterActing,
        FaultKind::AnswerLate,
        FaultKind::Status,
        FaultKind::Status,
        FaultKind::TruncatedJson,
        FaultKind::SlowDrip,
        FaultKind::Twice,
    ];
    let kind = *kinds.choose(rng).unwrap_or(&FaultKind::Refuse);
    let methods = [
        None,
        Some("POST"),
        Some("PATCH"),
        Some("DELETE"),
        Some("GET"),
    ];
    let html = json!("<html><body>Bad gateway</body></html>");
    FaultSpec {
        method: methods.choose(rng).copied().flatten().map(str::to_owned),
        count: Some(rng.random_range(1..12)),
        ms: Some(if kind == FaultKind::SlowDrip { 2 } else { 1200 }),
        status: [500, 502, 503, 429].choose(rng).copied(),
        body: (rng.random_range(0..2) == 0).then_some(html),
        ..FaultSpec::new(kind)
    }
}

/// Everything is well again.
pub async fn heal(chaos: &Chaos) {
    chaos.place.disk.free();
    chaos.place.host_stands_still(false).await;
    for (what, to) in [(Resource::Fsize, None), (Resource::Nofile, Some(4096))] {
        chaos.place.limit(what, to).await;
    }
    for arrays in &chaos.place.arrays {
        arrays.stand_still(false);
        for (n, array) in arrays.names.iter().enumerate() {
            let _ = arrays.control.clear_faults(array).await;
            let calm = json!({"ms": 0, "jitter_ms": 0});
            let path = format!("/arrays/{array}/latency");
            let _ = arrays.control.call(Method::POST, &path, &calm).await;
            let _ = arrays.control.power(array, true).await;
            for other in arrays.names.iter().skip(n + 1) {
                let _ = arrays.control.link(array, other, true).await;
            }
        }
        let _ = arrays.control.mediator(true).await;
    }
}
