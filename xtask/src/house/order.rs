//! Dependencies between crates may only point down.

use super::plan::{FILE, Plan};
use super::workspace::Package;

/// The folder whose crates have an order.
const HOST: &str = "host";

/// A sentence for each dependency that does not point down.
pub fn failures(plan: &Plan, packages: &[Package]) -> Vec<String> {
    let mut failures = Vec::new();
    for package in packages {
        let name = &package.name;
        let Some(level) = plan.level(name) else {
            if package.is_below(HOST) {
                failures.push(format!("{name} has no place in the order of {FILE}."));
            }
            continue;
        };
        for other in &package.needs {
            failures.extend(match plan.level(other) {
                Some(below) if below > level => None,
                Some(same) if same == level => Some(format!(
                    "{name} depends on {other}: they stand on one level of {FILE} and do not know each other."
                )),
                Some(_) => Some(format!(
                    "{name} depends on {other}, which stands above it in {FILE}."
                )),
                None => Some(format!(
                    "{name} depends on {other}, which is no crate of the host."
                )),
            });
        }
    }
    failures
}
