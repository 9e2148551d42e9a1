//! Whether the arrays have what the records say. Arrays are only read: the broker refuses whatever else a driver asks for here.

use std::collections::BTreeMap;

use futures_util::{StreamExt, stream};
use springform_control::{BackendConfig, DriverLoader, Loaded};
use springform_model::contract::{Call, CallError, Context, FailureCode, Reference};
use springform_model::time::Timestamp;

use super::records::Records;
use super::report::Report;
use crate::config::Config;
use crate::serve::Loader;

/// Calls of one backend at once.
const AT_ONCE: usize = 8;
/// Milliseconds that one call may take.
const DEADLINE_MS: u64 = 30_000;
const GIB: u64 = 1 << 30;

/// Something that has to be on an array.
struct Expected<'a> {
    what: &'static str,
    id: &'a str,
    name: &'a str,
    bytes: u64,
    /// Whether one that is larger is as good.
    at_least: bool,
}

/// Asks every array for every volume and snapshot; what is missing or of another size is refused in the report. Gives back how
/// many were found.
///
/// # Errors
/// A driver cannot be loaded.
pub async fn run(config: &Config, records: &Records, report: &mut Report) -> anyhow::Result<usize> {
    let loader = Loader::new(config, None)?;
    let (backends, problems) = crate::serve::backends(config, &loader).await;
    if let Some(problem) = problems.first() {
        anyhow::bail!("the arrays cannot be asked: {}", problem.text);
    }
    let mut found = 0;
    for backend in &backends {
        let Some(driver) = config.drivers.get(&backend.driver) else {
            continue;
        };
        let loaded = loader
            .load(&driver.path, backend)
            .await
            .map_err(|refusal| {
                anyhow::anyhow!(
                    "the arrays of {} cannot be asked: {}",
                    backend.name,
                    refusal.message
                )
            })?;
        // Where the backend is failed over, what is asked for is looked for there.
        let mut by_target: BTreeMap<&str, Vec<Expected<'_>>> = BTreeMap::new();
        for (target, expected) in of_backend(records, &backend.name) {
            by_target.entry(target).or_default().push(expected);
        }
        for (target, expected) in by_target {
            let answers = stream::iter(expected).map(|one| {
                let asked = ask(&loaded, backend, target, one.name);
                async move { (one, asked.await) }
            });
            let answers: Vec<_> = answers.buffer_unordered(AT_ONCE).collect().await;
            for (one, answer) in answers {
                found += usize::from(compare(report, target, &one, answer));
            }
        }
    }
    Ok(found)
}

fn of_backend<'a>(
    records: &'a Records,
    backend: &'a str,
) -> impl Iterator<Item = (&'a str, Expected<'a>)> {
    let volumes = records.volumes.iter().filter_map(move |volume| {
        let placement = volume
            .placement
            .as_ref()
            .filter(|_| volume.backend.as_deref() == Some(backend))?;
        let expected = Expected {
            what: "volume",
            id: &volume.id,
            name: &placement.array_name,
            bytes: volume.size_bytes(),
            at_least: false,
        };
        Some((placement.target.as_str(), expected))
    });
    let snapshots = records.snapshots.iter().filter_map(move |snapshot| {
        let name = snapshot
            .array_name
            .as_ref()
            .filter(|_| snapshot.backend.as_deref() == Some(backend))?;
        let expected = Expected {
            what: "snapshot",
            id: &snapshot.id,
            name,
            bytes: snapshot.size.saturating_mul(GIB),
            at_least: true,
        };
        Some((snapshot.target.as_deref()?, expected))
    });
    volumes.chain(snapshots)
}

async fn ask(
    loaded: &Loaded,
    backend: &BackendConfig,
    target: &str,
    name: &str,
) -> Result<u64, CallError> {
    let context = Context {
        operation_id: uuid::Uuid::now_v7().to_string(),
        backend: backend.name.clone(),
        options: loaded.options.clone(),
        targets: backend.targets.clone(),
        state: Vec::new(),
        cursor: Vec::new(),
        deadline_ms: DEADLINE_MS,
        now: Timestamp::now().as_millis(),
        extensions: vec![("springform/active-target".to_owned(), target.to_owned())],
    };
    let call = Call::Inspect {
        reference: Reference {
            keys: vec![("source-name".to_owned(), name.to_owned())],
        },
    };
    loaded.driver.call(context, call).await?.into_size()
}

fn compare(
    report: &mut Report,
    target: &str,
    one: &Expected<'_>,
    answer: Result<u64, CallError>,
) -> bool {
    let said = format!("{} {} ({} on {target})", one.what, one.id, one.name);
    match answer {
        Ok(bytes) if bytes == one.bytes || (one.at_least && bytes > one.bytes) => return true,
        Ok(bytes) => report.refuse(
            "their size on the array is another one",
            format!(
                "{said}: {} GiB recorded, {} there",
                one.bytes / GIB,
                bytes.div_ceil(GIB)
            ),
        ),
        Err(CallError::Failed(failure)) if failure.code == FailureCode::NotFound => {
            report.refuse("they are not on the array", said);
        }
        Err(error) => report.refuse("the array could not be asked", format!("{said}: {error}")),
    }
    false
}
