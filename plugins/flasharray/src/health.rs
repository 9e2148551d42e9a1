//! Reads whether each array could serve.

use springform_sdk::http::Method;
use springform_sdk::interfaces::backend::TargetHealth;

use crate::array::{Array, text};
use crate::arrays::Arrays;
use crate::query::Query;

/// One entry for each configured array; an array that does not answer is an entry, not an error.
#[must_use]
pub fn check(arrays: &Arrays<'_>) -> Vec<TargetHealth> {
    arrays.all().map(|array| look(&array)).collect()
}

fn look(array: &Array<'_>) -> TargetHealth {
    let unknown = TargetHealth {
        target: array.name().to_owned(),
        reachable: false,
        array_id: None,
        array_name: None,
        api_version: None,
        array_version: None,
        problems: Vec::new(),
    };
    match array.send(Method::Get, "/arrays", &Query::new(), None) {
        Ok(items) => {
            let own = |pointer: &str| {
                items
                    .first()
                    .and_then(|a| text(a, pointer))
                    .map(str::to_owned)
            };
            TargetHealth {
                reachable: true,
                array_id: own("/id"),
                array_name: own("/name"),
                array_version: own("/version"),
                ..unknown
            }
        }
        Err(trouble) => {
            let failure = crate::pgroup::unexpected(trouble);
            TargetHealth {
                problems: vec![failure.message],
                ..unknown
            }
        }
    }
}
