//! The `springform` program: reads the command line, runs it, turns an error into one readable line and a status.

use std::process::ExitCode;

use clap::Parser;

#[tokio::main]
async fn main() -> ExitCode {
    match springform::cli::run(springform::cli::Cli::parse()).await {
        Ok(code) => code,
        Err(error) => {
            eprintln!("springform: {error:#}");
            ExitCode::FAILURE
        }
    }
}
