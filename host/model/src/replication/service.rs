//! The backend's `replication_status`: Cinder's words and transitions, with the way out of `failover-error` that Cinder
//! lacks, and nothing changed by a failover that was refused.

use super::Refusal;
use crate::cloud::{ReplicationStatus, Service};

/// The name which means the primary, as in Cinder's `failover-host --backend_id default`.
pub const PRIMARY: &str = "default";

/// The reason Cinder's guides tell operators to look for.
pub const FAILED_OVER: &str = "failed-over";

/// The reason while a backend is frozen.
const FROZEN: &str = "frozen";

/// What happens to a backend.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// Set-up or statistics said whether anything is replicated.
    Reported {
        /// Whether.
        replicates: bool,
    },
    /// A failover of the whole backend was asked for; the operation takes the backend's turn.
    Requested {
        /// Its id.
        operation: String,
    },
    /// Every volume that could move did.
    Arrived {
        /// Its id.
        operation: String,
        /// Where new volumes land now; none: the primary.
        target: Option<String>,
    },
    /// It was refused before anything was touched: unknown target, nothing to do.
    Refused {
        /// Its id.
        operation: String,
    },
    /// It stopped half-way.
    Broke {
        /// Its id.
        operation: String,
    },
    /// What had stopped half-way has come to its end, volume by volume.
    Settled {
        /// Where new volumes land now; none: the primary.
        target: Option<String>,
    },
    /// The records were brought up to the arrays.
    Adopted {
        /// The array that serves; none: the primary.
        target: Option<String>,
    },
    /// An operator repairs the record: disabled and frozen only. It stays so: whoever repaired it enables it.
    Reset {
        /// The target which is true; none: the primary.
        target: Option<String>,
    },
}

/// States in which a failover may be asked for. Cinder lacks the third: there is no way out of it but a restart.
pub const MAY_FAIL_OVER: [ReplicationStatus; 3] = [
    ReplicationStatus::Enabled,
    ReplicationStatus::FailedOver,
    ReplicationStatus::FailoverError,
];

/// Takes one event.
///
/// # Errors
/// A [`Refusal`]; the service is then as it was.
pub fn step(service: &Service, event: Event) -> Result<Service, Refusal> {
    let mut next = service.clone();
    let settled = |s: &Service| {
        if s.active_target.is_some() {
            ReplicationStatus::FailedOver
        } else {
            ReplicationStatus::Enabled
        }
    };
    match event {
        Event::Reported { replicates } => {
            // A restart does not turn failover-error into enabled, as Cinder's does: the reason is still there.
            if matches!(
                service.replication_status,
                ReplicationStatus::Enabled
                    | ReplicationStatus::Disabled
                    | ReplicationStatus::NotCapable
                    | ReplicationStatus::Error
            ) {
                next.replication_status = if replicates {
                    ReplicationStatus::Enabled
                } else {
                    ReplicationStatus::Disabled
                };
            }
        }
        Event::Requested { operation } => {
            match &service.operation {
                Some(held) if *held == operation => return Ok(next),
                Some(held) => {
                    return Err(Refusal::Busy {
                        operation: held.clone(),
                    });
                }
                None => {}
            }
            if !MAY_FAIL_OVER.contains(&service.replication_status) {
                return Err(Refusal::Status {
                    status: service.replication_status.as_str(),
                    needed: "enabled, failed-over or failover-error",
                });
            }
            next.operation = Some(operation);
            next.replication_status = ReplicationStatus::FailingOver;
        }
        Event::Arrived { operation, target } => {
            holds(service, &operation)?;
            next.operation = None;
            served_by(&mut next, target);
        }
        Event::Settled { target } => {
            if let Some(operation) = &service.operation {
                return Err(Refusal::Busy {
                    operation: operation.clone(),
                });
            }
            if service.replication_status == ReplicationStatus::FailoverError {
                served_by(&mut next, target);
            }
        }
        Event::Refused { operation } => {
            holds(service, &operation)?;
            next.operation = None;
            next.replication_status = settled(service);
        }
        Event::Broke { operation } => {
            holds(service, &operation)?;
            next.operation = None;
            next.replication_status = ReplicationStatus::FailoverError;
            next.disabled = true;
        }
        Event::Adopted { target } => {
            if target != service.active_target || target.is_some() {
                next.disabled = target.is_some() || service.frozen;
                let frozen = service.frozen.then(|| "frozen".to_owned());
                next.disabled_reason = target.as_ref().map(|_| FAILED_OVER.to_owned()).or(frozen);
            }
            next.active_target = target;
            next.replication_status = settled(&next);
            next.adopted = service.look_only_since.or(service.adopted);
            next.look_only_since = None;
        }
        Event::Reset { target } => {
            if let Some(operation) = &service.operation {
                return Err(Refusal::Busy {
                    operation: operation.clone(),
                });
            }
            if !(service.disabled && service.frozen) {
                return Err(Refusal::Status {
                    status: if service.disabled {
                        "not frozen"
                    } else {
                        "not disabled"
                    },
                    needed: "disabled and frozen",
                });
            }
            next.active_target = target;
            next.replication_status = settled(&next);
            next.disabled_reason = Some(FROZEN.to_owned());
        }
    }
    Ok(next)
}

fn served_by(service: &mut Service, target: Option<String>) {
    if target.is_some() {
        service.replication_status = ReplicationStatus::FailedOver;
        service.disabled = true;
        service.disabled_reason = Some(FAILED_OVER.to_owned());
    } else {
        service.replication_status = ReplicationStatus::Enabled;
        service.disabled = service.frozen;
        service.disabled_reason = service.frozen.then(|| FROZEN.to_owned());
    }
    service.active_target = target;
}

fn holds(service: &Service, operation: &str) -> Result<(), Refusal> {
    if service.operation.as_deref() == Some(operation) {
        Ok(())
    } else {
        Err(Refusal::NotHolder {
            operation: operation.to_owned(),
        })
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::time::Timestamp;

    fn service(status: ReplicationStatus, active: Option<&str>) -> Service {
        Service {
            backend: "pure1".into(),
            host: "springform@pure1".into(),
            availability_zone: "nova".into(),
            disabled: false,
            disabled_reason: None,
            frozen: false,
            replication_status: status,
            active_target: active.map(str::to_owned),
            driver_state: Vec::new(),
            ready: true,
            not_ready_reason: None,
            statistics: None,
            statistics_at: None,
            targets: Vec::new(),
            identity: "host".to_owned(),
            look_only_since: None,
            adopted: None,
            operation: None,
            created_at: Timestamp(0),
            updated_at: None,
        }
    }

    fn requested() -> Event {
        Event::Requested {
            operation: "op".into(),
        }
    }

    #[test]
    fn exactly_three_states_may_be_failed_over_from() {
        for status in ReplicationStatus::ALL {
            let taken = step(&service(*status, None), requested());
            assert_eq!(taken.is_ok(), MAY_FAIL_OVER.contains(status), "{status}");
            if let Ok(next) = taken {
                assert_eq!(next.replication_status, ReplicationStatus::FailingOver);
                assert_eq!(next.operation.as_deref(), Some("op"));
            }
        }
    }

    #[test]
    fn a_second_failover_is_told_which_operation_is_in_the_way() {
        let busy = step(&service(ReplicationStatus::Enabled, None), requested()).unwrap();
        let other = Event::Requested {
            operation: "other".into(),
        };
        assert_eq!(
            step(&busy, other),
            Err(Refusal::Busy {
                operation: "op".into()
            })
        );
        assert_eq!(step(&busy, requested()).unwrap(), busy);
    }

    #[test]
    fn every_end_of_a_failover_leaves_a_state_from_which_another_can_start() {
        for active in [None, Some("pure2")] {
            for status in MAY_FAIL_OVER {
                let busy = step(&service(status, active), requested()).unwrap();
                let operation = || "op".to_owned();
                for event in [
                    Event::Arrived {
                        operation: operation(),
                        target: Some("pure2".into()),
                    },
                    Event::Arrived {
                        operation: operation(),
                        target: None,
                    },
                    Event::Refused {
                        operation: operation(),
                    },
                    Event::Broke {
                        operation: operation(),
                    },
                ] {
                    let ended = step(&busy, event).unwrap();
                    assert_eq!(ended.operation, None);
                    assert!(step(&ended, requested()).is_ok());
                }
            }
        }
    }

    #[test]
    fn failing_over_disables_the_service_with_cinders_reason_and_failing_back_lifts_it() {
        let busy = step(&service(ReplicationStatus::Enabled, None), requested()).unwrap();
        let over = step(
            &busy,
            Event::Arrived {
                operation: "op".into(),
                target: Some("pure2".into()),
            },
        )
        .unwrap();
        assert_eq!(over.replication_status, ReplicationStatus::FailedOver);
        assert!(over.disabled);
        assert_eq!(over.disabled_reason.as_deref(), Some("failed-over"));
        let busy = step(&over, requested()).unwrap();
        let back = step(
            &busy,
            Event::Arrived {
                operation: "op".into(),
                target: None,
            },
        )
        .unwrap();
        assert_eq!(back.replication_status, ReplicationStatus::Enabled);
        assert!(!back.disabled);
        assert_eq!(back.active_target, None);
    }

    #[test]
    fn failing_back_a_frozen_backend_keeps_it_disabled_until_thaw() {
        let mut over = service(ReplicationStatus::FailedOver, Some("pure2"));
        over.frozen = true;
        let busy = step(&over, requested()).unwrap();
        let back = step(
            &busy,
            Event::Arrived {
                operation: "op".into(),
                target: None,
            },
        )
        .unwrap();
        assert!(back.disabled);
        assert_eq!(back.disabled_reason.as_deref(), Some("frozen"));
    }

    #[test]
    fn a_refused_failover_changes_nothing_but_the_turn() {
        for (active, status) in [
            (None, ReplicationStatus::Enabled),
            (Some("pure2"), ReplicationStatus::FailedOver),
        ] {
            let before = service(status, active);
            let busy = step(&before, requested()).unwrap();
            let after = step(
                &busy,
                Event::Refused {
                    operation: "op".into(),
                },
            )
            .unwrap();
            assert_eq!(after, before);
        }
    }

    #[test]
    fn the_record_is_repaired_only_when_disabled_and_frozen() {
        for (disabled, frozen) in [(false, false), (true, false), (false, true)] {
            let mut broken = service(ReplicationStatus::FailoverError, Some("pure2"));
            (broken.disabled, broken.frozen) = (disabled, frozen);
            assert!(step(&broken, Event::Reset { target: None }).is_err());
        }
        let mut broken = service(ReplicationStatus::FailoverError, Some("pure2"));
        (broken.disabled, broken.frozen) = (true, true);
        let repaired = step(&broken, Event::Reset { target: None }).unwrap();
        assert_eq!(repaired.replication_status, ReplicationStatus::Enabled);
        assert_eq!(repaired.active_target, None);
        assert!(repaired.frozen && repaired.disabled);
        assert_eq!(repaired.disabled_reason.as_deref(), Some("frozen"));
    }

    #[test]
    fn a_failover_error_is_over_when_nothing_is_half_way_any_more() {
        let broken = service(ReplicationStatus::FailoverError, Some("pure2"));
        let home = step(&broken, Event::Settled { target: None }).unwrap();
        assert_eq!(home.replication_status, ReplicationStatus::Enabled);
        assert_eq!(
            (home.active_target.as_deref(), home.disabled),
            (None, false)
        );
        let away = Event::Settled {
            target: Some("pure2".into()),
        };
        let away = step(&broken, away).unwrap();
        assert_eq!(away.replication_status, ReplicationStatus::FailedOver);
        assert_eq!(away.disabled_reason.as_deref(), Some("failed-over"));
        let well = service(ReplicationStatus::Enabled, None);
        assert_eq!(step(&well, Event::Settled { target: None }), Ok(well));
    }

    #[test]
    fn a_restart_does_not_talk_a_failover_error_away() {
        for status in ReplicationStatus::ALL {
            let next = step(
                &service(*status, None),
                Event::Reported { replicates: true },
            )
            .unwrap();
            let kept = matches!(
                status,
                ReplicationStatus::FailedOver
                    | ReplicationStatus::FailingOver
                    | ReplicationStatus::FailoverError
                    | ReplicationStatus::Enabling
                    | ReplicationStatus::Disabling
            );
            let expected = if kept {
                *status
            } else {
                ReplicationStatus::Enabled
            };
            assert_eq!(next.replication_status, expected);
        }
    }
}
