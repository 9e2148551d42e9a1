//! Points at which a test ends the process as `kill -9` would. Compiled to nothing without the feature.

/// Ends the process here when `SPRINGFORM_CRASH_AT` is `name:nth` and this is the nth time. A second word tells points of
/// one name apart: they are counted on their own, as `name word:nth`.
#[macro_export]
macro_rules! crash_point {
    ($name:expr) => {
        $crate::crash::point($name, "")
    };
    ($name:expr, $of:expr) => {
        $crate::crash::point($name, $of)
    };
}

#[cfg(not(feature = "crash-points"))]
/// Nothing.
pub fn point(_name: &str, _of: &str) {}

#[cfg(feature = "crash-points")]
/// Counts, and kills on the nth time.
pub fn point(name: &str, of: &str) {
    use std::collections::HashMap;
    use std::io::Write as _;
    use std::sync::{LazyLock, Mutex};

    static WHERE: LazyLock<Option<(String, u64)>> = LazyLock::new(|| {
        let text = std::env::var("SPRINGFORM_CRASH_AT").ok()?;
        let (name, nth) = text.rsplit_once(':')?;
        Some((name.to_owned(), nth.parse().ok()?))
    });
    static SEEN: LazyLock<Mutex<HashMap<String, u64>>> = LazyLock::new(Mutex::default);

    let name = if of.is_empty() {
        name.to_owned()
    } else {
        format!("{name} {of}")
    };
    let Ok(mut seen) = SEEN.lock() else { return };
    let count = seen.entry(name.clone()).or_insert(0);
    *count += 1;
    if std::env::var_os("SPRINGFORM_CRASH_TRACE").is_some() {
        // `eprintln!` would panic once nobody reads it any more.
        let _ = writeln!(std::io::stderr(), "crash-point {name}:{count}");
    }
    if WHERE
        .as_ref()
        .is_some_and(|(at, nth)| *at == name && nth == count)
    {
        let pid = std::process::id().to_string();
        // The only way to SIGKILL oneself without unsafe code; nothing is flushed, nothing is dropped.
        let _ = std::process::Command::new("kill")
            .args(["-9", &pid])
            .status();
        loop {
            std::thread::park();
        }
    }
}
