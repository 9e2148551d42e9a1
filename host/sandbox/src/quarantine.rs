//! Keeps calls from a driver that traps, hangs or breaks its limits again and again, and tries it again with growing pauses.
//!
//! A pure state machine: it is told the time and what became of calls. A driver is quarantined when half of its last calls were
//! faults of its own; one fault among many calls is what [`crate::fault`] reports, and no reason to stop serving.

use std::time::Duration;

/// Calls that are looked back at.
const WINDOW: u32 = 16;
/// Faults among them that are too many.
const TOO_MANY: u32 = 8;
/// The first pause, and the longest.
const PAUSES: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(60));

/// What became of a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// It answered, whatever it said.
    Answered,
    /// It trapped, computed beyond its time, or ran into a limit.
    Fault,
    /// It says nothing about the driver: given up by its caller, or its array did not answer in time.
    Unknown,
}

/// Whether a call may begin.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Admission {
    /// It may.
    Admitted,
    /// It may, and what becomes of it decides whether the quarantine ends. It must be ended with [`Quarantine::probed`].
    Probe,
    /// It may not; the time after which it is worth trying again.
    Refused(Duration),
}

/// What has changed, for the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Change {
    /// No calls for this time.
    Quarantined(Duration),
    /// Calls as before.
    Released,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Serving,
    /// Nothing before `until`; then one probe.
    Waiting {
        until: Duration,
        pause: Duration,
    },
    Probing {
        pause: Duration,
    },
}

/// The state of one driver on one backend. Times are since any fixed moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Quarantine {
    state: State,
    /// The last calls, the newest in the lowest bit; set where it was a fault.
    faults: u32,
}

impl Default for Quarantine {
    fn default() -> Self {
        Self {
            state: State::Serving,
            faults: 0,
        }
    }
}

impl Quarantine {
    /// Asks for a call.
    pub fn admit(&mut self, now: Duration) -> Admission {
        match self.state {
            State::Serving => Admission::Admitted,
            State::Waiting { until, pause } if now >= until => {
                self.state = State::Probing { pause };
                Admission::Probe
            }
            State::Waiting { until, .. } => Admission::Refused(until.saturating_sub(now)),
            State::Probing { pause } => Admission::Refused(pause),
        }
    }

    /// A call that was admitted is over. Those that began before a quarantine change nothing in it.
    pub fn ended(&mut self, now: Duration, outcome: Outcome) -> Option<Change> {
        let fault = match outcome {
            Outcome::Unknown => return None,
            Outcome::Fault => 1,
            Outcome::Answered => 0,
        };
        if self.state != State::Serving {
            return None;
        }
        self.faults = (self.faults << 1 | fault) & ((1 << WINDOW) - 1);
        if self.faults.count_ones() < TOO_MANY {
            return None;
        }
        Some(self.wait(now, PAUSES.0))
    }

    /// A probe is over.
    pub fn probed(&mut self, now: Duration, outcome: Outcome) -> Option<Change> {
        let State::Probing { pause } = self.state else {
            return None;
        };
        match outcome {
            Outcome::Answered => {
                *self = Self::default();
                Some(Change::Released)
            }
            Outcome::Fault => Some(self.wait(now, pause.saturating_mul(2).min(PAUSES.1))),
            // The next call is the probe.
            Outcome::Unknown => {
                self.state = State::Waiting { until: now, pause };
                None
            }
        }
    }

    /// Whether calls are kept from the driver.
    #[must_use]
    pub fn is_active(&self) -> bool {
        self.state != State::Serving
    }

    fn wait(&mut self, now: Duration, pause: Duration) -> Change {
        let until = now.saturating_add(pause);
        self.state = State::Waiting { until, pause };
        Change::Quarantined(pause)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn at(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    fn broken() -> Quarantine {
        let mut quarantine = Quarantine::default();
        for _ in 0..TOO_MANY - 1 {
            assert_eq!(quarantine.ended(at(0), Outcome::Fault), None);
        }
        assert_eq!(
            quarantine.ended(at(0), Outcome::Fault),
            Some(Change::Quarantined(at(1)))
        );
        quarantine
    }

    #[test]
    fn faults_now_and_then_are_no_reason() {
        let mut quarantine = Quarantine::default();
        for call in 0..1000 {
            let outcome = match call % 3 {
                0 => Outcome::Fault,
                _ => Outcome::Answered,
            };
            assert_eq!(quarantine.ended(at(call), outcome), None);
            assert_eq!(quarantine.admit(at(call)), Admission::Admitted);
        }
    }

    #[test]
    fn pauses_double_up_to_a_minute_and_one_answer_ends_the_quarantine() {
        let (mut quarantine, mut now) = (broken(), at(0));
        for pause in [1, 2, 4, 8, 16, 32, 60, 60] {
            assert_eq!(quarantine.admit(now), Admission::Refused(at(pause)));
            now += at(pause);
            assert_eq!(quarantine.admit(now), Admission::Probe);
            assert!(
                matches!(quarantine.admit(now), Admission::Refused(_)),
                "one probe at a time"
            );
            quarantine.probed(now, Outcome::Fault);
        }
        now += at(60);
        assert_eq!(quarantine.admit(now), Admission::Probe);
        assert_eq!(
            quarantine.probed(now, Outcome::Answered),
            Some(Change::Released)
        );
        assert_eq!(quarantine, Quarantine::default());
    }

    #[test]
    fn a_probe_that_is_given_up_makes_the_next_call_the_probe() {
        let mut quarantine = broken();
        assert_eq!(quarantine.admit(at(1)), Admission::Probe);
        assert_eq!(quarantine.probed(at(1), Outcome::Unknown), None);
        assert_eq!(quarantine.admit(at(1)), Admission::Probe);
    }

    fn outcome() -> impl Strategy<Value = Outcome> {
        prop_oneof![
            Just(Outcome::Answered),
            Just(Outcome::Fault),
            Just(Outcome::Unknown)
        ]
    }

    proptest! {
        /// Whatever happens in whatever order: no pause beyond the longest, never two probes, and a driver that answers again
        /// serves again after one pause.
        #[test]
        fn a_driver_is_never_kept_out_for_good(steps in proptest::collection::vec((0..40_u64, outcome(), any::<bool>()), 0..300)) {
            let (mut quarantine, mut now, mut probing) = (Quarantine::default(), at(0), false);
            for (pass, outcome, finish) in steps {
                now += at(pass);
                match quarantine.admit(now) {
                    Admission::Admitted => {
                        prop_assert!(!quarantine.is_active());
                        quarantine.ended(now, outcome);
                    }
                    Admission::Probe => {
                        prop_assert!(!probing, "two probes at a time");
                        probing = true;
                    }
                    Admission::Refused(again) => {
                        prop_assert!(again <= PAUSES.1);
                        // A call from before the quarantine.
                        let before = quarantine;
                        prop_assert_eq!(quarantine.ended(now, outcome), None);
                        prop_assert_eq!(quarantine, before);
                    }
                }
                if probing && finish {
                    probing = false;
                    quarantine.probed(now, outcome);
                }
            }
            if probing {
                quarantine.probed(now, Outcome::Answered);
            }
            now += PAUSES.1;
            if quarantine.admit(now) == Admission::Probe {
                quarantine.probed(now, Outcome::Answered);
            }
            prop_assert_eq!(quarantine.admit(now), Admission::Admitted);
        }
    }
}
