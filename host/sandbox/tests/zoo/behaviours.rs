//! Behaviours of a driver that attack the host while they run, or with what they answer.

use springform_model::contract::{Call, CallError, Driver, FaultKind};
use springform_sandbox::{BoundDriver, Limits, Sandbox, TargetBinding, TlsTrust};

use crate::support::array::Array;
use crate::support::{binding, context, load, volume};

pub struct Attack {
    pub name: &'static str,
    pub behaviour: &'static str,
    pub call: fn() -> Call,
    pub deadline_ms: u64,
    /// None: it is cut off without a fault, and the call ends.
    pub fault: Option<FaultKind>,
}

const fn attack(
    name: &'static str,
    behaviour: &'static str,
    call: fn() -> Call,
    fault: Option<FaultKind>,
) -> Attack {
    Attack {
        name,
        behaviour,
        call,
        deadline_ms: 20_000,
        fault,
    }
}

fn two() -> Vec<springform_model::contract::VolumeSpec> {
    vec![volume("v"), volume("w")]
}

pub const ATTACKS: &[Attack] = &[
    Attack {
        deadline_ms: 200,
        ..attack("a loop", "spin", || Call::Check, Some(FaultKind::Deadline))
    },
    attack("a panic", "panic", || Call::Check, Some(FaultKind::Trap)),
    attack("an exit", "exit", || Call::Check, Some(FaultKind::Trap)),
    attack(
        "memory without end",
        "grow",
        || Call::Check,
        Some(FaultKind::Memory),
    ),
    attack(
        "a recursion",
        "recurse",
        || Call::Check,
        Some(FaultKind::Trap),
    ),
    attack(
        "a result of sixteen megabytes",
        "large-result",
        || Call::Stats,
        Some(FaultKind::Limit),
    ),
    attack(
        "a state over its limit",
        "large-state",
        || Call::Setup,
        Some(FaultKind::Limit),
    ),
    attack(
        "a batch that is short",
        "partial",
        || Call::Observe { volumes: two() },
        None,
    ),
    attack("log lines without end", "log-flood", || Call::Check, None),
    attack(
        "empty log lines without end",
        "log-empty",
        || Call::Check,
        None,
    ),
    attack(
        "control characters in the log",
        "log-control",
        || Call::Check,
        None,
    ),
    attack(
        "requests without end",
        "many-requests",
        || Call::Check,
        None,
    ),
    attack("a body without end", "endless-body", || Call::Setup, None),
];

/// A driver that nobody has called yet, so that no quarantine is in the way of the next attack.
pub async fn fresh(sandbox: &Sandbox, array: &Array) -> BoundDriver {
    let program = load(sandbox, "hostile").await;
    let target = TargetBinding::new("a", &array.address, TlsTrust::PlainHttp);
    let mut binding = binding(vec![target]);
    binding.limits = Some(Limits {
        requests: 50,
        request_body_bytes: 1 << 20,
        ..Limits::default()
    });
    sandbox.bind(program, binding).unwrap()
}

/// The kind of the fault that the attack ends with.
pub async fn run(driver: &BoundDriver, attack: &Attack) -> Option<FaultKind> {
    let mut context = context(attack.behaviour, "");
    context.deadline_ms = attack.deadline_ms;
    match driver.call(context, (attack.call)()).await {
        Err(CallError::Fault(fault)) => Some(fault.kind),
        _ => None,
    }
}
