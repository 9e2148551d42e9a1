//! The `springform` program: reads the command line, runs it, turns an error into one readable line and a status.

use std::process::ExitCode;

use clap::Parser;

/// Requests and rows are many small allocations on all threads, and glibc's allocator keeps what a burst needed: after the load
/// of `cargo xtask bench api` it held three times as much, and made a quarter fewer volumes a second.
/// Without huge pages (`no_thp`): at rest a third of what they held was never used.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

#[tokio::main]
async fn main() -> ExitCode {
    match springform::cli::run(springform::cli::Cli::parse()).await {
        Ok(code) => code,
        Err(error) => {
            springform::out::note(format_args!("springform: {error:#}"));
            ExitCode::FAILURE
        }
    }
}
