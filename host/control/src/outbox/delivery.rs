//! How often an event was tried to deliver to a receiver, and when it is tried next.

use serde::{Deserialize, Serialize};
use springform_model::time::Timestamp;
use springform_store::{Changes, Record, Table, Value as Column};

use super::event::CloudEvent;

/// Adds one delivery of each event for each receiver.
pub(crate) fn deliver(
    changes: Changes,
    events: impl IntoIterator<Item = CloudEvent>,
    receivers: &[String],
    now: Timestamp,
) -> Changes {
    events.into_iter().fold(changes, |changes, event| {
        let to = receivers.iter();
        to.fold(changes, |changes, receiver| {
            changes.put(&Delivery::new(event.clone(), receiver, now))
        })
    })
}

/// Where a delivery stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum DeliveryState {
    /// Due, or due later.
    Pending,
    /// The receiver answered 2xx.
    Delivered,
    /// Given up; visible, and can be sent again.
    Dead,
}

impl DeliveryState {
    /// The word for it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Delivered => "delivered",
            Self::Dead => "dead",
        }
    }
}

/// Why a receiver did not take an event.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct DeliveryError {
    /// In words, without a secret.
    pub why: String,
    /// The receiver does not want any more of this: trying again is of no use.
    pub gone: bool,
    /// Seconds it asks to be left alone.
    pub after_seconds: Option<u64>,
}

impl DeliveryError {
    /// Something that may pass.
    #[must_use]
    pub fn passing(why: impl Into<String>) -> Self {
        Self {
            why: why.into(),
            ..Self::default()
        }
    }
}

/// An event on its way to one receiver.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Delivery {
    /// Event id and receiver.
    pub id: String,
    /// The event.
    pub event: CloudEvent,
    /// Name of the configured receiver.
    pub receiver: String,
    /// Where it stands.
    pub state: DeliveryState,
    /// How often it was tried.
    pub attempts: u32,
    /// Why the last attempt failed.
    pub last_error: Option<String>,
    /// When it is tried next.
    pub due_at: Timestamp,
    /// When it happened.
    pub created_at: Timestamp,
}

impl Record for Delivery {
    const TABLE: Table = Table {
        name: "outbox",
        columns: &[
            "kind",
            "subject",
            "state",
            "receiver",
            "created_at",
            "due_at",
        ],
    };

    fn id(&self) -> &str {
        &self.id
    }

    fn columns(&self) -> Vec<(&'static str, Column)> {
        vec![
            ("kind", Column::from(&self.event.kind)),
            ("subject", Column::from(&self.event.subject)),
            ("state", Column::from(self.state.as_str())),
            ("receiver", Column::from(&self.receiver)),
            ("created_at", Column::from(self.created_at)),
            ("due_at", Column::from(self.due_at)),
        ]
    }
}

/// Attempts before a delivery is given up: about a day.
const ATTEMPTS: u32 = 32;
/// The longest pause between two attempts, seconds.
const LONGEST: u64 = 3600;

/// Seconds until the next attempt; none: give up.
#[must_use]
pub fn backoff(attempts: u32) -> Option<u64> {
    (attempts < ATTEMPTS).then(|| (1_u64 << attempts.min(12)).min(LONGEST))
}

impl Delivery {
    /// A delivery that is due now.
    #[must_use]
    pub fn new(event: CloudEvent, receiver: &str, now: Timestamp) -> Self {
        Self {
            id: format!("{}/{receiver}", event.id),
            event,
            receiver: receiver.to_owned(),
            state: DeliveryState::Pending,
            attempts: 0,
            last_error: None,
            due_at: now,
            created_at: now,
        }
    }

    /// What it is after an attempt. `jitter`, in thousandths of the pause, keeps receivers that failed together from being
    /// asked again together.
    #[must_use]
    pub fn after(mut self, result: Result<(), DeliveryError>, now: Timestamp, jitter: u32) -> Self {
        self.attempts = self.attempts.saturating_add(1);
        match result {
            Ok(()) => {
                self.state = DeliveryState::Delivered;
                self.last_error = None;
            }
            Err(refused) => {
                self.last_error = Some(refused.why);
                match backoff(self.attempts).filter(|_| !refused.gone) {
                    Some(seconds) => {
                        let asked = refused.after_seconds.unwrap_or(0).min(LONGEST);
                        let pause = seconds.saturating_mul(u64::from(jitter)) / 1000;
                        let pause = i64::try_from(pause.max(asked)).unwrap_or(i64::MAX / 1_000_000);
                        self.due_at = now.plus_micros(pause * 1_000_000);
                    }
                    None => self.state = DeliveryState::Dead,
                }
            }
        }
        self
    }

    /// Whether it is to be tried. No pause is twice as long as the longest: then the clock was put back since.
    #[must_use]
    pub fn is_due(&self, now: Timestamp) -> bool {
        let longest = i64::try_from(2 * LONGEST).unwrap_or(i64::MAX / 1_000_000);
        self.due_at <= now || self.due_at > now.plus_micros(longest * 1_000_000)
    }

    /// Tried again from the beginning, now.
    pub fn revive(&mut self, now: Timestamp) {
        self.state = DeliveryState::Pending;
        self.attempts = 0;
        self.due_at = now;
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used)]
mod tests {
    use super::*;
    use serde_json::json;

    fn event() -> CloudEvent {
        CloudEvent::new(
            "volume.moved",
            "pure1",
            "v",
            "e".into(),
            json!({}),
            Timestamp(0),
        )
    }

    #[test]
    fn a_delivery_is_tried_later_and_later_and_then_given_up_in_sight() {
        let mut delivery = Delivery::new(event(), "hook", Timestamp(0));
        let mut last = 0;
        while delivery.state == DeliveryState::Pending {
            let now = delivery.due_at;
            delivery = delivery.after(Err(DeliveryError::passing("connection refused")), now, 1000);
            assert!(
                delivery.due_at.0 - now.0 >= last.min(3_600_000_000)
                    || delivery.state == DeliveryState::Dead
            );
            last = delivery.due_at.0 - now.0;
        }
        assert_eq!(
            (delivery.state, delivery.attempts),
            (DeliveryState::Dead, ATTEMPTS)
        );
        assert_eq!(delivery.last_error.as_deref(), Some("connection refused"));
    }

    #[test]
    fn a_receiver_that_asks_to_be_left_alone_is_and_one_that_is_gone_is_given_up() {
        let delivery = Delivery::new(event(), "hook", Timestamp(0));
        let later = DeliveryError {
            after_seconds: Some(100),
            ..DeliveryError::passing("429")
        };
        let waits = delivery.clone().after(Err(later), Timestamp(0), 750);
        assert_eq!(waits.due_at, Timestamp(100_000_000));
        let gone = DeliveryError {
            gone: true,
            ..DeliveryError::passing("410")
        };
        let mut dead = delivery.after(Err(gone), Timestamp(0), 750);
        assert_eq!(dead.state, DeliveryState::Dead);
        dead.revive(Timestamp(7));
        assert_eq!(
            (dead.state, dead.attempts, dead.due_at),
            (DeliveryState::Pending, 0, Timestamp(7))
        );
    }

    #[test]
    fn a_delivery_that_was_taken_is_not_sent_again() {
        let delivery =
            Delivery::new(event(), "hook", Timestamp(0)).after(Ok(()), Timestamp(1), 1000);
        assert_eq!(delivery.state, DeliveryState::Delivered);
    }

    #[test]
    fn a_clock_that_is_put_back_holds_no_event_up() {
        let (hour, day) = (3_600_000_000, 86_400_000_000);
        let mut waits = Delivery::new(event(), "hook", Timestamp(day));
        waits.due_at = Timestamp(day + hour);
        assert!(!waits.is_due(Timestamp(day)));
        assert!(waits.is_due(Timestamp(day + hour)));
        assert!(waits.is_due(Timestamp(hour)));
    }
}
