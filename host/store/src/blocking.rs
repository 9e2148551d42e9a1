//! Work that waits for the disk, kept away from the threads that serve requests.

/// Does this on a thread that may wait. `None`: the runtime ends and does not begin it any more.
pub(crate) async fn run<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Option<T> {
    match tokio::task::spawn_blocking(work).await {
        Ok(done) => Some(done),
        Err(error) if error.is_panic() => std::panic::resume_unwind(error.into_panic()),
        Err(_) => None,
    }
}

/// What is said where it was not begun.
pub(crate) const ENDS: &str = "the process ends";
