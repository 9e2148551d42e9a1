//! Every hostile behaviour, one call after the other.

use springform_model::contract::{Call, Driver};

use super::behaviours::{ATTACKS, fresh, run};
use crate::support::array::Array;
use crate::support::{context, sandbox};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_hostile_call_ends_with_the_fault_that_is_meant_for_it() {
    let array = Array::plain().await;
    let sandbox = sandbox();
    let mut wrong = Vec::new();
    for attack in ATTACKS {
        let driver = fresh(&sandbox, &array).await;
        let fault = run(&driver, attack).await;
        if fault != attack.fault {
            wrong.push(format!(
                "{}: {fault:?} and not {:?}",
                attack.name, attack.fault
            ));
        }
        let next = driver.call(context("", ""), Call::Check).await;
        if let Err(error) = next {
            wrong.push(format!("{}: the next call failed: {error}", attack.name));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
