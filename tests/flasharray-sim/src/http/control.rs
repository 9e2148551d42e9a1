//! The control port: time, power, links, faults, and somebody else's hands.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use axum::extract::{DefaultBodyLimit, Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Response};
use axum::routing::{delete, get, post};
use axum::{Json, Router};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::core::error::{ApiError, Res};
use crate::core::key::ArrayIx;
use crate::core::transfer::Stuck;
use crate::dump;
use crate::fault::FaultSpec;
use crate::shared::{Power, Shared};

type Sim = State<Arc<Shared>>;

/// Everything on the control port.
pub fn routes(shared: Arc<Shared>) -> Router {
    Router::new()
        .route(
            "/",
            get(|| async { Json(json!({"service": "flasharray-sim"})) }),
        )
        .route("/state", get(state))
        .route("/clock", get(clock))
        .route("/clock/advance", post(advance))
        .route("/arrays/{array}/power", post(power))
        .route("/links/{a}/{b}", post(link))
        .route("/mediator", post(mediator))
        .route(
            "/arrays/{array}/faults",
            post(add_fault).get(faults).delete(clear_faults),
        )
        .route("/arrays/{array}/faults/{id}", delete(remove_fault))
        .route(
            "/arrays/{array}/requests",
            get(requests).delete(forget_requests),
        )
        .route("/arrays/{array}/latency", post(latency))
        .route(
            "/arrays/{array}/behind-our-back",
            post(super::out_of_band::out_of_band),
        )
        .route("/arrays/{array}/capacity", post(capacity))
        .route("/arrays/{array}/volume-limit", post(volume_limit))
        .route("/arrays/{array}/safemode", post(safemode))
        .route(
            "/arrays/{array}/sessions",
            get(list_sessions).delete(drop_sessions),
        )
        .route("/arrays/{array}/api-token", post(api_token))
        .route("/arrays/{array}/date", post(date))
        .route("/pods/{pod}/stuck", post(pod_stuck))
        .route("/transfers/stuck", post(transfers_stuck))
        .merge(super::io::routes())
        .layer(DefaultBodyLimit::max(256 << 20))
        .with_state(shared)
}

/// A refusal in the shape the arrays use.
pub fn refused(error: &ApiError) -> Response {
    let status = StatusCode::from_u16(error.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    (status, Json(error.body())).into_response()
}

pub fn reply(result: Res<Value>) -> Response {
    match result {
        Ok(value) => Json(value).into_response(),
        Err(error) => refused(&error),
    }
}

pub fn find(shared: &Shared, name: &str) -> Res<ArrayIx> {
    shared
        .world()
        .find_array(name)
        .ok_or_else(|| ApiError::status(404, format!("There is no array {name}.")))
}

async fn state(State(shared): Sim) -> Response {
    let world = shared.world();
    reply(dump::dump(&world))
}

async fn clock(State(shared): Sim) -> Response {
    let now = shared.world().now();
    Json(json!({"now_ms": now, "mode": shared.clock_mode()})).into_response()
}

#[derive(Deserialize)]
struct Advance {
    seconds: f64,
}

async fn advance(State(shared): Sim, Json(body): Json<Advance>) -> Response {
    // A negative or unreasonable number becomes none; time never goes back.
    let ms = (body.seconds.max(0.0) * 1000.0).round() as u64;
    let now = shared.advance(ms);
    Json(json!({"now_ms": now})).into_response()
}

#[derive(Deserialize)]
struct PowerBody {
    on: bool,
    /// Dark, but connections are not refused: nobody answers.
    #[serde(default)]
    silent: bool,
}

async fn power(
    State(shared): Sim,
    Path(array): Path<String>,
    Json(body): Json<PowerBody>,
) -> Response {
    let power = match (body.on, body.silent) {
        (true, _) => Power::On,
        (false, false) => Power::Refuses,
        (false, true) => Power::Silent,
    };
    let done = find(&shared, &array).and_then(|ix| shared.set_power(ix, power).map(|()| ix));
    if let Ok(ix) = done {
        shared.power_applied(ix).await;
    }
    reply(done.map(|_| json!({"on": body.on})))
}

#[derive(Deserialize)]
struct LinkBody {
    up: Option<bool>,
    /// Bytes per second; 0 for the default again.
    bandwidth: Option<u64>,
}

async fn link(
    State(shared): Sim,
    Path((a, b)): Path<(String, String)>,
    Json(body): Json<LinkBody>,
) -> Response {
    let done = (|| {
        let (a, b) = (find(&shared, &a)?, find(&shared, &b)?);
        let mut world = shared.world();
        if let Some(up) = body.up {
            world.set_link(a, b, up)?;
        }
        if let Some(rate) = body.bandwidth {
            world.set_bandwidth(a, b, Some(rate).filter(|rate| *rate > 0))?;
        }
        Ok(json!({"up": world.reaches(a, b)}))
    })();
    reply(done)
}

#[derive(Deserialize)]
struct MediatorBody {
    reachable: bool,
    #[serde(default)]
    arrays: Vec<String>,
    #[serde(default = "yes")]
    pre_elect: bool,
}

fn yes() -> bool {
    true
}

async fn mediator(State(shared): Sim, Json(body): Json<MediatorBody>) -> Response {
    let done = (|| {
        let arrays = body
            .arrays
            .iter()
            .map(|name| find(&shared, name))
            .collect::<Res<Vec<_>>>()?;
        shared
            .world()
            .set_mediator(&arrays, body.reachable, body.pre_elect);
        Ok(json!({"reachable": body.reachable}))
    })();
    reply(done)
}

async fn add_fault(
    State(shared): Sim,
    Path(array): Path<String>,
    Json(body): Json<FaultSpec>,
) -> Response {
    let done = find(&shared, &array)
        .and_then(|ix| Ok(json!({"id": shared.front(ix)?.faults().add(body)})));
    reply(done)
}

async fn faults(State(shared): Sim, Path(array): Path<String>) -> Response {
    reply(find(&shared, &array).and_then(|ix| Ok(shared.front(ix)?.faults().list())))
}

async fn clear_faults(State(shared): Sim, Path(array): Path<String>) -> Response {
    let done = find(&shared, &array)
        .and_then(|ix| Ok(json!({"removed": shared.front(ix)?.faults().remove(None)})));
    reply(done)
}

async fn remove_fault(State(shared): Sim, Path((array, id)): Path<(String, u64)>) -> Response {
    let done = find(&shared, &array).and_then(|ix| {
        if shared.front(ix)?.faults().remove(Some(id)) {
            Ok(json!({"removed": true}))
        } else {
            Err(ApiError::status(404, format!("There is no fault {id}.")))
        }
    });
    reply(done)
}

async fn requests(State(shared): Sim, Path(array): Path<String>) -> Response {
    let done = find(&shared, &array).and_then(|ix| {
        let log = shared.front(ix)?.log();
        serde_json::to_value(&*log).map_err(|error| ApiError::status(500, error.to_string()))
    });
    reply(done)
}

async fn forget_requests(State(shared): Sim, Path(array): Path<String>) -> Response {
    let done = find(&shared, &array).and_then(|ix| {
        shared.front(ix)?.log().clear();
        Ok(json!({}))
    });
    reply(done)
}

#[derive(Deserialize)]
struct LatencyBody {
    ms: u64,
    #[serde(default)]
    jitter_ms: u64,
}

async fn latency(
    State(shared): Sim,
    Path(array): Path<String>,
    Json(body): Json<LatencyBody>,
) -> Response {
    let done = find(&shared, &array).and_then(|ix| {
        *shared.front(ix)?.latency() = (body.ms, body.jitter_ms);
        Ok(json!({"ms": body.ms, "jitter_ms": body.jitter_ms}))
    });
    reply(done)
}

#[derive(Deserialize)]
struct CapacityBody {
    /// Usable bytes of the array.
    bytes: Option<u64>,
    /// Fill it up, or empty it again.
    full: Option<bool>,
    /// Bytes in use by volumes we do not know.
    used: Option<u64>,
}

async fn capacity(
    State(shared): Sim,
    Path(array): Path<String>,
    Json(body): Json<CapacityBody>,
) -> Response {
    let done = find(&shared, &array).and_then(|ix| {
        let mut world = shared.world();
        let array = world.array_mut(ix)?;
        array.capacity = body.bytes.unwrap_or(array.capacity);
        array.ballast = match (body.full, body.used) {
            (Some(true), _) => array.capacity,
            (Some(false), _) => 0,
            (None, used) => used.unwrap_or(array.ballast),
        };
        Ok(json!({"capacity": array.capacity, "used": array.ballast}))
    });
    reply(done)
}

#[derive(Deserialize)]
struct LimitBody {
    #[serde(alias = "count", alias = "max")]
    limit: Option<usize>,
}

async fn volume_limit(
    State(shared): Sim,
    Path(array): Path<String>,
    Json(body): Json<LimitBody>,
) -> Response {
    let done = find(&shared, &array).and_then(|ix| {
        shared.world().array_mut(ix)?.volume_limit = body.limit;
        Ok(json!({"limit": body.limit}))
    });
    reply(done)
}

#[derive(Deserialize)]
struct SafemodeBody {
    on: bool,
}

async fn safemode(
    State(shared): Sim,
    Path(array): Path<String>,
    Json(body): Json<SafemodeBody>,
) -> Response {
    let done = find(&shared, &array).and_then(|ix| {
        shared.world().array_mut(ix)?.eradication_disabled = body.on;
        Ok(json!({"on": body.on}))
    });
    reply(done)
}

#[derive(Deserialize)]
struct TokenBody {
    token: String,
    /// Whether the old one is good as well; else whoever is logged in has to log in anew.
    #[serde(default)]
    keep: bool,
}

async fn api_token(
    State(shared): Sim,
    Path(array): Path<String>,
    Json(body): Json<TokenBody>,
) -> Response {
    let done = find(&shared, &array).and_then(|ix| {
        let mut world = shared.world();
        let array = world.array_mut(ix)?;
        let old = std::mem::replace(&mut array.api_token, body.token);
        array.old_token = body.keep.then_some(old);
        if !body.keep {
            array.sessions.clear();
        }
        Ok(json!({}))
    });
    reply(done)
}

#[derive(Deserialize)]
struct DateBody {
    /// Seconds; negative: behind.
    ahead: i64,
}

async fn date(
    State(shared): Sim,
    Path(array): Path<String>,
    Json(body): Json<DateBody>,
) -> Response {
    let done = find(&shared, &array).and_then(|ix| {
        let front = shared.front(ix)?;
        front.date_ahead.store(body.ahead, Ordering::SeqCst);
        Ok(json!({}))
    });
    reply(done)
}

async fn list_sessions(State(shared): Sim, Path(array): Path<String>) -> Response {
    let found = find(&shared, &array).and_then(|ix| {
        let mut world = shared.world();
        let tokens: Vec<String> = world
            .array_mut(ix)?
            .sessions
            .tokens()
            .map(str::to_owned)
            .collect();
        Ok(json!(tokens))
    });
    reply(found)
}

async fn drop_sessions(State(shared): Sim, Path(array): Path<String>) -> Response {
    let done = find(&shared, &array).and_then(|ix| {
        shared.world().array_mut(ix)?.sessions.clear();
        Ok(json!({}))
    });
    reply(done)
}

#[derive(Deserialize)]
struct PodStuckBody {
    #[serde(default = "yes", alias = "on")]
    stuck: bool,
    array: Option<String>,
}

async fn pod_stuck(
    State(shared): Sim,
    Path(pod): Path<String>,
    Json(body): Json<PodStuckBody>,
) -> Response {
    let done = (|| {
        let array = body.array.map(|name| find(&shared, &name)).transpose()?;
        shared.world().set_pod_stuck(&pod, body.stuck, array)?;
        Ok(json!({"stuck": body.stuck}))
    })();
    reply(done)
}

#[derive(Deserialize)]
struct TransfersStuckBody {
    #[serde(default = "yes", alias = "on")]
    stuck: bool,
    #[serde(default = "sixty_percent", alias = "at")]
    progress: f64,
    from: Option<String>,
    to: Option<String>,
}

fn sixty_percent() -> f64 {
    0.6
}

async fn transfers_stuck(State(shared): Sim, Json(body): Json<TransfersStuckBody>) -> Response {
    let done = (|| {
        let from = body.from.map(|name| find(&shared, &name)).transpose()?;
        let to = body.to.map(|name| find(&shared, &name)).transpose()?;
        let stuck = body.stuck.then_some(Stuck {
            from,
            to,
            at: body.progress,
        });
        shared.world().set_stuck(stuck);
        Ok(json!({"stuck": body.stuck}))
    })();
    reply(done)
}
