//! The driver that does nothing, quickly. Benchmarks of the host and tests of the swap load it.
//!
//! With the option `bench = "request"`, `volumes.extend` asks the first target one question: what a call with one request costs.

#[path = "../../hostile/src/net.rs"]
#[allow(dead_code)]
mod net;

use guest_kit::types::{Context, Error, Failure, FailureCode};

/// Does what the kit does.
struct Noop;

impl guest_kit::Behaviour for Noop {
    const NAME: &'static str = "noop";

    fn on(verb: &str, ctx: &Context) -> Result<(), Error> {
        if verb == "volumes.extend" && guest_kit::option(ctx, "bench") == "request" {
            return ask(ctx);
        }
        Ok(())
    }
}

fn ask(ctx: &Context) -> Result<(), Error> {
    let target = ctx.targets.first().map(|t| t.name.clone()).unwrap_or_default();
    let url = format!("https://{target}/api/2.52/arrays");
    match net::send("GET", &url, None) {
        Ok(answer) if answer.status == 200 => Ok(()),
        _ => Err(Error::Failed(Failure {
            code: FailureCode::Unavailable,
            message: "the array did not answer the benchmark's question".to_owned(),
            target: Some(target),
            detail: None,
            extensions: Vec::new(),
        })),
    }
}

guest_kit::fixture!(Noop);
