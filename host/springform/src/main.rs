//! The `springform` program: reads the command line, runs it, turns an error into one readable line or object and a status.

use std::process::ExitCode;

use anyhow::Context;
use clap::Parser;
use mimalloc::MiMalloc;
use springform::cli::Cli;
use springform::failure;
use springform::show::width;
use zeroizing_alloc::ZeroAlloc;

/// Requests and rows are many small allocations on all threads, and glibc's allocator keeps what a burst needed: after the load
/// of `cargo xtask bench api` it held three times as much, and made a quarter fewer volumes a second.
/// Without huge pages (`no_thp`): at rest a third of what they held was never used.
///
/// What is freed is wiped: buffers of HTTP, TLS, TOML and JSON held arrays' tokens long after these were exchanged.
#[global_allocator]
static ALLOCATOR: ZeroAlloc<MiMalloc> = ZeroAlloc(MiMalloc);

fn main() -> ExitCode {
    let mut arguments = std::env::args_os().skip(1);
    if arguments
        .next()
        .is_some_and(|mode| mode == springform_sandbox::COMPILER_MODE)
    {
        let arguments: Vec<String> = arguments
            .map(|argument| argument.to_string_lossy().into_owned())
            .collect();
        return springform_sandbox::run_compiler(&arguments);
    }
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => return failure::usage(&error, std::env::args_os()),
    };
    let format = cli.connection.format;
    width::fit_to_terminal();
    let done = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .context("cannot start the runtime")
        .and_then(|runtime| runtime.block_on(springform::cli::run(cli)));
    match done {
        Ok(code) => code,
        Err(error) => failure::report(&error, format),
    }
}
