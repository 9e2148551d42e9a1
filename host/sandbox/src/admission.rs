//! The door in front of a driver's calls: it asks the [`Quarantine`] and tells it what became of each.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use springform_model::audit::{self, Action, Entry, Kind, Occurrence, Sink, Subject, Who};
use springform_model::contract::{CallError, Fault, FaultKind, Reply};
use springform_model::time::Timestamp;
use tokio::time::Instant;

use crate::quarantine::{Admission, Change, Outcome, Quarantine};

/// The door of one driver on one backend.
pub struct Door {
    driver: Arc<str>,
    backend: Arc<str>,
    since: Instant,
    quarantine: Mutex<Quarantine>,
    audit: Option<Arc<dyn Sink>>,
}

/// A call that was let in. Dropped without [`Pass::end`], it says nothing about the driver.
pub struct Pass<'a> {
    door: &'a Door,
    probe: bool,
    ended: bool,
}

impl Door {
    /// An open door.
    #[must_use]
    pub fn new(driver: Arc<str>, backend: Arc<str>, audit: Option<Arc<dyn Sink>>) -> Self {
        Self {
            driver,
            backend,
            since: Instant::now(),
            quarantine: Mutex::default(),
            audit,
        }
    }

    /// Lets a call in.
    ///
    /// # Errors
    /// [`FaultKind::Quarantined`] with the time after which it is worth trying again. The call has not begun.
    pub fn enter(&self, verb: &str) -> Result<Pass<'_>, Fault> {
        let probe = match self.with(|quarantine, now| quarantine.admit(now)) {
            Admission::Admitted => false,
            Admission::Probe => true,
            Admission::Refused(again) => {
                return Err(Fault::new(
                    FaultKind::Quarantined,
                    format!(
                        "{verb}: driver {} is quarantined on backend {}, because it trapped, hung or broke its limits again and again; the next call is let through in {} s, `springform driver rollback` goes back to the component before it",
                        self.driver,
                        self.backend,
                        again.as_secs_f64().ceil()
                    ),
                ));
            }
        };
        Ok(Pass {
            door: self,
            probe,
            ended: false,
        })
    }

    /// Whether calls are kept from the driver.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.with(|quarantine, _| quarantine.is_active())
    }

    fn with<T>(&self, act: impl FnOnce(&mut Quarantine, Duration) -> T) -> T {
        let now = self.since.elapsed();
        act(
            &mut self
                .quarantine
                .lock()
                .unwrap_or_else(PoisonError::into_inner),
            now,
        )
    }

    fn tell(&self, action: Action) {
        let Some(audit) = &self.audit else { return };
        let on = Subject {
            backend: Some(self.backend.to_string()),
            driver: Some(self.driver.to_string()),
            ..Subject::default()
        };
        let who = Who::of(Kind::Host);
        audit.note(Occurrence {
            key: format!("{} {}", self.driver, self.backend),
            entry: Entry::new(Timestamp::now(), who, action, audit::Outcome::Succeeded).on(on),
        });
    }

    fn ended(&self, probe: bool, outcome: Outcome) {
        let change = self.with(|quarantine, now| match probe {
            true => quarantine.probed(now, outcome),
            false => quarantine.ended(now, outcome),
        });
        let (driver, backend) = (&self.driver, &self.backend);
        match change {
            Some(Change::Quarantined(pause)) => {
                self.tell(Action::DriverQuarantined);
                tracing::error!(
                    target: "audit", event = "driver-quarantined", %driver, %backend, seconds = pause.as_secs(),
                    "a driver is quarantined: it trapped, hung or broke its limits again and again"
                );
            }
            Some(Change::Released) => {
                self.tell(Action::DriverReleased);
                tracing::warn!(
                    target: "audit", event = "driver-released", %driver, %backend, "a driver answers again and its quarantine is over"
                );
            }
            None => {}
        }
    }
}

impl Pass<'_> {
    /// Tells what became of the call. `asked`: it sent a request, and may have spent its time waiting for an array.
    pub fn end(mut self, result: &Result<Reply, CallError>, asked: bool) {
        self.ended = true;
        self.door.ended(self.probe, outcome(result, asked));
    }
}

impl Drop for Pass<'_> {
    fn drop(&mut self) {
        if !self.ended {
            self.door.ended(self.probe, Outcome::Unknown);
        }
    }
}

fn outcome(result: &Result<Reply, CallError>, asked: bool) -> Outcome {
    let Err(CallError::Fault(fault)) = result else {
        return Outcome::Answered;
    };
    match fault.kind {
        FaultKind::Trap | FaultKind::Memory | FaultKind::Limit => Outcome::Fault,
        FaultKind::Deadline if !asked => Outcome::Fault,
        _ => Outcome::Unknown,
    }
}
