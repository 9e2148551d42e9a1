//! SIGTERM and Ctrl-C end the host; SIGHUP lets it read its configuration again.

use anyhow::Context;
use springform_control::{Caller, Control};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio_util::sync::CancellationToken;

/// A token that is cancelled by the first signal. A second one ends the process at once: the journal stands it.
///
/// # Errors
/// The system gives no signal handlers.
pub fn stop_on_signal() -> anyhow::Result<CancellationToken> {
    let mut terminate = signal(SignalKind::terminate()).context("cannot watch for SIGTERM")?;
    let mut interrupt = signal(SignalKind::interrupt()).context("cannot watch for SIGINT")?;
    let token = CancellationToken::new();
    let stop = token.clone();
    tokio::spawn(async move {
        for last in [false, true] {
            tokio::select! {
                _ = terminate.recv() => {}
                _ = interrupt.recv() => {}
            }
            if last {
                std::process::exit(130);
            }
            stop.cancel();
        }
    });
    Ok(token)
}

/// Lets a write beyond the limit on the size of files (`ulimit -f`) fail as one on a full disk does. Without this it ends
/// the process.
///
/// # Errors
/// The system gives no signal handlers.
pub fn outlive_file_limits() -> anyhow::Result<()> {
    /// SIGXFSZ, of which tokio has no name.
    const FILE_TOO_LARGE: i32 = 25;
    // The handler stays when the stream is dropped.
    let watched = signal(SignalKind::from_raw(FILE_TOO_LARGE));
    watched.map(drop).context("cannot watch for SIGXFSZ")
}

/// Watches for SIGHUP from now on; before, it would end the process.
///
/// # Errors
/// The system gives no signal handlers.
pub fn hangup() -> anyhow::Result<Signal> {
    signal(SignalKind::hangup()).context("cannot watch for SIGHUP")
}

/// Reloads the configuration at each SIGHUP; what came of it is in the log.
pub async fn reload_on(mut hangup: Signal, control: Control) {
    let caller = Caller::new("SIGHUP", "springform", vec!["admin".to_owned()]);
    while hangup.recv().await.is_some() {
        // The refusal is logged where it is made, and there is nobody else to tell.
        let _ = control.reload().run(&caller, false).await;
    }
}
