//! The driver that misbehaves as its option `behaviour` says, in whichever function is called.
//!
//! One behaviour for each limit of the sandbox and each rule of the broker. What it may do well (a request that is answered) it
//! reports in `stats`, as capabilities of its pool.

mod net;

use guest_kit::types::{Context, Error, Failure, FailureCode, Outcome};
use guest_kit::{Behaviour, option};

/// See the module.
struct Hostile;

impl Behaviour for Hostile {
    const NAME: &'static str = "hostile";

    fn on(verb: &str, ctx: &Context) -> Result<(), Error> {
        match option(ctx, "behaviour") {
            "spin" => loop {
                std::hint::black_box(verb);
            },
            "panic" => panic!("asked to panic in {verb}"),
            "grow" => {
                let mut hoard: Vec<Vec<u8>> = Vec::new();
                loop {
                    hoard.push(vec![1; 1 << 20]);
                    std::hint::black_box(&hoard);
                }
            }
            "recurse" => {
                std::hint::black_box(descend(0));
                Ok(())
            }
            "log-flood" => {
                for line in 0..20_000 {
                    println!("line {line} of a flood that nobody wants to read");
                }
                Ok(())
            }
            "log-empty" => {
                for _ in 0..200_000 {
                    println!();
                }
                Ok(())
            }
            "log-control" => {
                println!("safe\u{1b}[2J\u{7}\r\u{202e}evil");
                Ok(())
            }
            "hoard-answers" => net::hoard_answers(&primary_url(ctx, "/large")),
            "exit" => std::process::exit(3),
            "fail" => Err(Error::Failed(Failure {
                code: FailureCode::Exhausted,
                message: "no space is left".to_owned(),
                target: Some("a".to_owned()),
                detail: None,
                extensions: Vec::new(),
            })),
            "many-requests" => net::many(&primary_url(ctx, "/")),
            "endless-body" => net::upload(&primary_url(ctx, "/")),
            "hoard-requests" => net::hoard(&primary_url(ctx, "/hang")),
            _ => Ok(()),
        }
    }

    fn outcomes(ctx: &Context, mut outcomes: Vec<Outcome>) -> Vec<Outcome> {
        match option(ctx, "behaviour") {
            "partial" => {
                outcomes.pop();
            }
            "shuffle" => outcomes.reverse(),
            _ => {}
        }
        outcomes
    }

    fn state(ctx: &Context) -> Vec<u8> {
        match option(ctx, "behaviour") {
            "large-state" => vec![0; 65 * 1024],
            _ => Vec::new(),
        }
    }

    fn capabilities(ctx: &Context) -> Result<Vec<(String, String)>, Error> {
        let argument = option(ctx, "argument");
        Ok(match option(ctx, "behaviour") {
            "get" => net::report(net::send("GET", argument, None)),
            "method" => net::report(net::send(argument, &primary_url(ctx, "/"), None)),
            "post" => net::report(net::send("POST", argument, None)),
            "header" => net::report(net::send("GET", &primary_url(ctx, "/"), Some(argument))),
            "large-result" => (0..1000).map(|n| (n.to_string(), "x".repeat(16 << 10))).collect(),
            "environment" => std::env::vars().chain([("args".to_owned(), std::env::args().count().to_string())]).collect(),
            "targets" => ctx
                .targets
                .iter()
                .flat_map(|t| t.extensions.iter().cloned().chain([(t.name.clone(), t.reachable.to_string())]))
                .collect(),
            _ => Vec::new(),
        })
    }
}

fn primary_url(ctx: &Context, path: &str) -> String {
    format!("https://{}{path}", guest_kit::primary(ctx))
}

#[expect(unconditional_recursion, reason = "that is its point")]
fn descend(depth: u64) -> u64 {
    let frame = std::hint::black_box([depth; 64]);
    descend(depth + 1) + frame[7]
}

guest_kit::fixture!(Hostile);
