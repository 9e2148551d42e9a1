//! The same arrays without a network: thousands of scenarios in the time of one. An array can be made to go dark in the
//! middle of a call, before or after it has acted.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;

use flasharray::driver::Driver;
use flasharray::layout::Kind;
use flasharray_sim::ArrayConfig;
use flasharray_sim::core::array::ArraySpec;
use flasharray_sim::core::key::ArrayIx;
use flasharray_sim::core::link::LinkKind;
use flasharray_sim::core::world::{Settings, World};
use flasharray_sim::rest::{self, Query, Verb};
use springform_sdk::http::{Http, HttpError, Method, Request, Response};
use springform_sdk::types::{Context, Error, Target};

use crate::rig::IQN;

/// An array goes dark when it has been asked so often, after it acted on the last request or before.
#[derive(Clone, Copy)]
struct Fuse {
    array: ArrayIx,
    left: u64,
    acts: bool,
}

/// What goes wrong with one request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Glitch {
    /// It never arrives.
    Unheard,
    /// The array acts; its answer is lost.
    Unanswered,
    /// The array answers this and does not act.
    Status(u16),
}

pub struct Memory {
    pub world: RefCell<World>,
    kind: Kind,
    pub targets: Vec<Target>,
    sessions: RefCell<HashMap<String, String>>,
    state: RefCell<Vec<u8>>,
    pub landing: RefCell<Option<String>>,
    fuse: Cell<Option<Fuse>>,
    pub interval: u64,
    glitch: Cell<Option<(u64, Glitch)>>,
}

impl Memory {
    /// Arrays named after the targets, each pair connected for pods; a kilobyte a second for replication.
    pub fn new(kind: Kind, targets: Vec<Target>) -> Self {
        let settings = Settings {
            bandwidth: 1024,
            session_ms: u64::MAX,
            ..Settings::default()
        };
        let specs = targets.iter().map(|t| spec(&t.name)).collect();
        let mut world = World::new(specs, settings, 1_000_000_000_000);
        for a in 0..targets.len() {
            for b in a + 1..targets.len() {
                world.connect_arrays(ArrayIx(a), ArrayIx(b), LinkKind::Sync);
            }
        }
        Self {
            world: RefCell::new(world),
            kind,
            targets,
            sessions: RefCell::default(),
            state: RefCell::default(),
            landing: RefCell::default(),
            fuse: Cell::default(),
            interval: 60,
            glitch: Cell::default(),
        }
    }

    pub fn ix(&self, array: &str) -> ArrayIx {
        self.world.borrow().find_array(array).unwrap()
    }

    pub fn set_up(&self) {
        let report = self.call("setup", |d| d.setup()).unwrap();
        self.state.replace(report.state);
    }

    fn context(&self, operation: &str, cursor: Vec<u8>) -> Context {
        let landing = self.landing.borrow().clone();
        Context {
            operation_id: operation.to_owned(),
            backend: "a".to_owned(),
            options: vec![(
                "pure_replica_interval_default".to_owned(),
                self.interval.to_string(),
            )],
            targets: self.targets.clone(),
            state: self.state.borrow().clone(),
            cursor,
            deadline_ms: 30_000,
            now: self.world.borrow().now(),
            extensions: landing
                .into_iter()
                .map(|t| ("springform/active-target".to_owned(), t))
                .collect(),
        }
    }

    /// Makes one call, and again as often as it is pending.
    pub fn call<T>(
        &self,
        operation: &str,
        call: impl Fn(&Driver<'_>) -> Result<T, Error>,
    ) -> Result<T, Error> {
        let mut cursor = Vec::new();
        for _ in 0..10_000 {
            let context = self.context(operation, std::mem::take(&mut cursor));
            match call(&Driver::new(self.kind, self, &context)) {
                Err(Error::Pending(pending)) => {
                    cursor = pending.cursor;
                    self.pass(1000);
                }
                done => return done,
            }
        }
        panic!("{operation} is pending for ever");
    }

    /// Lets milliseconds pass.
    pub fn pass(&self, ms: u64) {
        let mut world = self.world.borrow_mut();
        let to = world.now() + ms;
        world.advance(to);
    }

    pub fn power(&self, array: &str, on: bool) {
        self.fuse.set(None);
        self.sessions.borrow_mut().remove(array);
        let ix = self.ix(array);
        self.world.borrow_mut().set_power(ix, on).unwrap();
    }

    pub fn link(&self, a: &str, b: &str, up: bool) {
        let (a, b) = (self.ix(a), self.ix(b));
        self.world.borrow_mut().set_link(a, b, up).unwrap();
    }

    /// The array goes dark at the request after so many.
    pub fn burn(&self, array: &str, left: u64, acts: bool) {
        let array = self.ix(array);
        self.fuse.set(Some(Fuse { array, left, acts }));
    }

    /// The request after so many goes wrong, on whichever array.
    pub fn glitch(&self, after: u64, what: Glitch) {
        self.glitch.set(Some((after, what)));
    }

    /// Nothing goes wrong any more; whether something did.
    pub fn struck(&self) -> bool {
        self.glitch.take().is_none()
    }

    /// Everything that is on the arrays, by name, one line each.
    pub fn inventory(&self) -> Vec<String> {
        let world = self.world.borrow();
        let mut lines = Vec::new();
        for array in world.arrays() {
            let on = &array.name;
            let live = |name: &String, doomed: bool| {
                format!("{on} {name}{}", if doomed { " destroyed" } else { "" })
            };
            for (name, key) in &array.volumes {
                let volume = world.volume(*key).unwrap();
                let line = live(name, volume.doom.is_some());
                lines.push(format!("volume {line} {} {:?}", volume.size, volume.qos));
            }
            for (name, key) in &array.snaps {
                lines.push(format!(
                    "snapshot {}",
                    live(name, world.snap(*key).unwrap().doom.is_some())
                ));
            }
            for (name, key) in &array.pods {
                let pod = world.pod(*key).unwrap();
                lines.push(format!(
                    "pod {} {}",
                    live(name, pod.doom.is_some()),
                    pod.sides.len()
                ));
            }
            for (name, key) in &array.pgroups {
                let group = world.pgroup(*key).unwrap();
                lines.push(format!(
                    "group {} {}",
                    live(name, group.doom.is_some()),
                    group.volumes.len()
                ));
            }
            for (name, key) in &array.vgroups {
                let group = world.vgroup(*key).unwrap();
                let line = live(name, group.doom.is_some());
                lines.push(format!(
                    "volume group {line} {} {:?}",
                    group.volumes.len(),
                    group.qos
                ));
            }
            lines.extend(array.hosts.keys().map(|name| format!("host {on} {name}")));
        }
        lines
    }

    /// A machine writes; whether the array acknowledged.
    pub fn write(&self, array: &str, volume: &str, offset: u64, bytes: &[u8]) -> bool {
        let ix = self.ix(array);
        let written = self
            .world
            .borrow_mut()
            .io_write(ix, IQN, volume, offset, bytes);
        written.is_ok()
    }

    pub fn read(&self, array: &str, volume: &str, offset: u64, length: usize) -> Vec<u8> {
        let ix = self.ix(array);
        let read = self.world.borrow().io_read(ix, IQN, volume, offset, length);
        read.unwrap_or_else(|error| panic!("read {volume} on {array}: {error:?}"))
    }

    fn ask(&self, ix: ArrayIx, request: &rest::Request) -> rest::Reply {
        rest::handle(&mut self.world.borrow_mut(), ix, request)
    }

    fn session(&self, array: &str, ix: ArrayIx) -> String {
        if let Some(token) = self.sessions.borrow().get(array) {
            return token.clone();
        }
        let login = rest::Request {
            verb: Verb::Post,
            path: "/api/2.26/login".to_owned(),
            query: Query::parse(""),
            session: None,
            api_token: Some(ArrayConfig::named(array).token()),
            body: serde_json::Value::Null,
        };
        let token = self.ask(ix, &login).session.unwrap();
        self.sessions
            .borrow_mut()
            .insert(array.to_owned(), token.clone());
        token
    }
}

impl Http for Memory {
    fn send(&self, request: Request) -> Result<Response, HttpError> {
        let ix = self.ix(&request.target);
        if !self.world.borrow().powered(ix) {
            return Err(HttpError::Unreachable);
        }
        let mut wrong = None;
        if let Some((after, what)) = self.glitch.take() {
            if after == 0 {
                wrong = Some(what);
            } else {
                self.glitch.set(Some((after - 1, what)));
            }
        }
        match wrong {
            Some(Glitch::Unheard) => return Err(HttpError::Unreachable),
            Some(Glitch::Status(status)) => {
                return Ok(Response {
                    status,
                    retry_after: None,
                    body: br#"{"errors":[{"context":"x","message":"Something went wrong."}]}"#
                        .to_vec(),
                });
            }
            _ => {}
        }
        let mut burnt = None;
        if let Some(mut fuse) = self.fuse.get().filter(|f| f.array == ix) {
            if fuse.left == 0 {
                burnt = Some(fuse.acts);
            }
            fuse.left = fuse.left.saturating_sub(1);
            self.fuse.set(Some(fuse));
        }
        if burnt == Some(false) {
            self.power(&request.target, false);
            return Err(HttpError::Unreachable);
        }
        let (path, query) = request.path.split_once('?').unwrap_or((&request.path, ""));
        let asked = rest::Request {
            verb: match request.method {
                Method::Get => Verb::Get,
                Method::Post => Verb::Post,
                Method::Put => Verb::Put,
                Method::Patch => Verb::Patch,
                Method::Delete => Verb::Delete,
            },
            path: path.to_owned(),
            query: Query::parse(query),
            session: Some(self.session(&request.target, ix)),
            api_token: None,
            body: request
                .body
                .map(|b| serde_json::from_slice(&b).unwrap())
                .unwrap_or_default(),
        };
        let reply = self.ask(ix, &asked);
        if wrong == Some(Glitch::Unanswered) {
            return Err(HttpError::Timeout);
        }
        if burnt.is_some() {
            self.power(&request.target, false);
            return Err(HttpError::Unreachable);
        }
        Ok(Response {
            status: reply.status,
            retry_after: None,
            body: reply
                .body
                .map(|b| b.to_string().into_bytes())
                .unwrap_or_default(),
        })
    }
}

fn spec(name: &str) -> ArraySpec {
    let config = ArrayConfig::named(name);
    ArraySpec {
        name: name.to_owned(),
        api_token: config.token(),
        purity: config.purity_version,
        rest_versions: vec!["2.26".to_owned()],
        capacity: config.capacity_bytes,
    }
}
