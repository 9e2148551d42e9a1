//! `springform import cinder`: a Cinder is taken over with its ids, owners and names, and without touching an array.
//!
//! Everything is read and judged before anything is written; the records are written in one transaction into an empty database.

mod attachments;
mod backends;
mod conf;
mod dump;
mod groups;
mod live;
mod machines;
mod names;
mod projects;
mod records;
mod report;
mod row;
mod services;
mod snapshots;
mod source;
mod types;
mod verify;
mod volumes;

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write as _;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::Path;
use std::process::ExitCode;

use anyhow::{Context, bail};
use springform_model::audit::{Action, Entry};
use springform_model::cloud::{Service, Volume, VolumeType};
use springform_model::contract::Description;
use springform_store::{Query, Store, StoreOptions};

use crate::audit;
use crate::cli::ImportCinder;
use crate::config::Config;
use crate::out;
use crate::sealing;
use crate::serve::{inspect, private};
use backends::Plan;
use conf::Conf;
use records::{Reader, Records};
use report::Report;
use source::Source;

/// Takes a Cinder over.
///
/// # Errors
/// What cannot be read or written; what stands in the way is printed as a report, and ends with status 1.
pub async fn cinder(asked: ImportCinder) -> anyhow::Result<ExitCode> {
    let mut report = Report::default();
    let conf = read_conf(&asked.config)?;
    let plan = backends::read(&conf, &asked.backends, &mut report);
    let made = match asked.into.exists() {
        true => None,
        false => {
            let drivers = described(&plan, &asked.drivers, &mut report).await;
            Some(plan.toml(&asked.drivers, &drivers, &mut report))
        }
    };
    let records = read_records(&asked, &conf, &plan, &mut report).await?;
    if asked.verify && !report.is_refused() {
        let config = match &made {
            None => Config::load(&asked.into)?,
            Some(text) => Config::parse(&asked.into, &plan.with_secrets(text))?,
        };
        let found = verify::run(&config, &records, &mut report).await?;
        report.taken("volumes and snapshots seen on the arrays", found);
    }
    out::print(&report.text(asked.dry_run))?;
    if report.is_refused() {
        return Ok(ExitCode::FAILURE);
    }
    if asked.dry_run {
        if let Some(text) = &made {
            out::line(format_args!(
                "\n{} would be:\n\n{text}",
                asked.into.display()
            ))?;
        }
        return Ok(ExitCode::SUCCESS);
    }
    if let Some(text) = &made {
        write_config(&asked.into, &plan, text)?;
    }
    let config = Config::load(&asked.into)?;
    same_backends(&config, &plan)?;
    write_records(&config, &records).await?;
    let shown = asked.into.display();
    out::line(format_args!(
        "{} holds it all. Next: `springform config check --config {shown}`, then `springform serve --config {shown}`.",
        config.service.database.display()
    ))?;
    Ok(ExitCode::SUCCESS)
}

fn read_conf(path: &Path) -> anyhow::Result<Conf> {
    let shown = path.display();
    let text = std::fs::read_to_string(path).with_context(|| format!("{shown} cannot be read"))?;
    Conf::parse(&text).map_err(|reason| anyhow::anyhow!("{shown}: {reason}"))
}

/// What the drivers say of themselves. One that cannot be asked is reported: otherwise its options would look checked.
async fn described(
    plan: &Plan,
    drivers: &Path,
    report: &mut Report,
) -> BTreeMap<&'static str, Description> {
    let mut known = BTreeMap::new();
    let wanted: BTreeSet<_> = plan.backends.iter().map(|b| b.driver).collect();
    for driver in wanted {
        let component = backends::component(drivers, driver);
        match inspect::describe_file(&component).await {
            Ok(description) => {
                known.insert(driver, description);
            }
            Err(reason) => report.leave(
                "drivers that could not be asked, so that their options stand in the file unchecked; see `springform config check`",
                format!("{driver}: {reason:#}"),
            ),
        }
    }
    known
}

async fn read_records(
    asked: &ImportCinder,
    conf: &Conf,
    plan: &Plan,
    report: &mut Report,
) -> anyhow::Result<Records> {
    let url = asked
        .database
        .as_deref()
        .or_else(|| conf.get("database", "connection"));
    let url = url.context(
        "name Cinder's database with --database: its configuration has no [database] connection",
    )?;
    let mut source = Source::open(url).await?;
    let alive = services::alive(&mut source).await?;
    for service in alive.into_iter().filter(|_| !asked.cinder_is_stopped) {
        let why = "they reported themselves in the last minute; stop every service of Cinder first, because no array may hear two \
                   hosts (--cinder-is-stopped, if you did just now)";
        if asked.dry_run {
            report.leave(
                "services of Cinder that are running; they have to be stopped before",
                service,
            );
        } else {
            report.refuse(why, service);
        }
    }
    records::read(Reader {
        source: &mut source,
        backends: &plan.backends,
        only: !asked.backends.is_empty(),
        report,
    })
    .await
}

/// Writes the configuration and the files of its secrets. What is there is not overwritten.
fn write_config(path: &Path, plan: &Plan, text: &str) -> anyhow::Result<()> {
    let folder = path.parent().unwrap_or(Path::new("")).join("secrets");
    std::fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(&folder)
        .with_context(|| format!("{} cannot be made", folder.display()))?;
    for (name, content) in plan.secrets() {
        write_new(&folder.join(name), content)?;
    }
    write_new(path, text)
}

fn write_new(path: &Path, text: &str) -> anyhow::Result<()> {
    let shown = || format!("{} cannot be written", path.display());
    let mut options = std::fs::OpenOptions::new();
    let mut file = options
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)
        .with_context(shown)?;
    file.write_all(text.as_bytes())
        .and_then(|()| file.sync_all())
        .with_context(shown)
}

/// A configuration that was there before has to serve the same backends.
fn same_backends(config: &Config, plan: &Plan) -> anyhow::Result<()> {
    for wanted in &plan.backends {
        let found = config
            .backends
            .iter()
            .find(|backend| backend.name == wanted.name);
        match found {
            Some(found) if found.host == wanted.host && found.primary.name == wanted.primary => {}
            Some(found) => bail!(
                "{} has backend {} as {} with the array {}; Cinder has it as {}, and its first array is to be called {}",
                config.path.display(),
                wanted.name,
                found.host,
                found.primary.name,
                wanted.host,
                wanted.primary
            ),
            None => bail!("{} has no backend {}", config.path.display(), wanted.name),
        }
    }
    Ok(())
}

async fn write_records(config: &Config, records: &Records) -> anyhow::Result<()> {
    let path = &config.service.database;
    // The key that secrets are sealed with is kept in the host's own folder.
    private::prepare(&config.service)?;
    let options = StoreOptions {
        keys: Some(sealing::find_or_make(&config.service).await?),
        ..StoreOptions::default()
    };
    let store = Store::open_with(path, options).await?;
    let entry = audit::entry(&config.service, Action::CinderImported)
        .with("volumes", records.volumes.len().to_string());
    let outcome = fill(&store, records, entry).await;
    store.close().await;
    outcome.with_context(|| format!("nothing was written to {}", path.display()))
}

async fn fill(store: &Store, records: &Records, entry: Entry) -> anyhow::Result<()> {
    let any = Query::new();
    let used = store.count::<Volume>(&any).await?
        + store.count::<VolumeType>(&any).await?
        + store.count::<Service>(&any).await?;
    if used > 0 {
        bail!(
            "it holds records already; an import needs an empty database: name another file as [service] database"
        );
    }
    store.commit(records.changes().audit(entry)).await?;
    Ok(())
}
