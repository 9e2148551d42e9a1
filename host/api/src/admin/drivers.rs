//! Drivers: look at one, install it, put it into service, go back.

use std::io::Write as _;
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};
use springform_control::registry::DriverStatus;
use tempfile::TempDir;

use crate::http::{Answer, ApiError, Call, Routes, json};
use crate::views::admin::{DriverView, Drivers, InspectedDriver, InstalledDriver};

/// Bytes of the signatures of one component; one has about 300.
const SIGNATURES: usize = 8 << 10;

pub(super) fn routes(r: &mut Routes) {
    r.get("/drivers", "springform:drivers:list", list)
        .admin()
        .says("Lists the drivers with their four versions.")
        .returns::<Drivers<'_>>(200);
    r.get("/drivers/{name}", "springform:drivers:get", show)
        .admin()
        .says("Shows a driver.")
        .returns::<DriverView<'_>>(200);
    r.put("/drivers/{name}", "springform:drivers:install", install)
        .admin()
        .says("Installs a component; it does not serve before it is activated.")
        .takes("wasm")
        .asks(&["signatures"])
        .up_to(64 << 20)
        .returns::<InstalledDriver<'_>>(201);
    r.post(
        "/drivers/{name}/inspect",
        "springform:drivers:inspect",
        inspect,
    )
    .admin()
    .says("Looks at a component without installing it.")
    .takes("wasm")
    .asks(&["signatures"])
    .up_to(64 << 20)
    .returns::<InspectedDriver<'_>>(200);
    r.post(
        "/drivers/{name}/activate",
        "springform:drivers:activate",
        activate,
    )
    .admin()
    .says("Puts a generation into service: the newest, or the one with the digest.")
    .takes("{digest?:text?, backend?:text?}")
    .returns::<DriverView<'_>>(200);
    r.post(
        "/drivers/{name}/rollback",
        "springform:drivers:rollback",
        rollback,
    )
    .admin()
    .says("Goes back to the generation that served before.")
    .takes("{backend?:text?}")
    .returns::<DriverView<'_>>(200);
}

async fn list(call: Call) -> Answer {
    let drivers: Vec<DriverStatus> = call.control().drivers().list(&call.caller).await?;
    let drivers = drivers.iter().map(DriverView::new).collect();
    json(200, &Drivers { drivers })
}

async fn show(call: Call) -> Answer {
    let drivers = call.control().drivers();
    let found = drivers.get(&call.caller, call.part("name")).await?;
    json(200, &DriverView::new(&found))
}

/// An uploaded component with its signatures beside it, in a folder that is gone as soon as it is not held any more, whatever
/// becomes of the request.
struct Upload {
    folder: TempDir,
    component: PathBuf,
}

async fn uploaded(call: &Call) -> Result<Upload, ApiError> {
    if call.body.is_empty() {
        return Err(ApiError::invalid(
            "The body must be a WebAssembly component, and it is empty.",
        ));
    }
    let signatures = call.query.get("signatures").unwrap_or_default().to_owned();
    if signatures.len() > SIGNATURES {
        return Err(ApiError::invalid(format!(
            "The signatures have {} bytes; at most {SIGNATURES} are taken.",
            signatures.len()
        )));
    }
    let (folder, body) = (call.state.drivers_dir.clone(), call.body.clone());
    on_disk(move || Upload::written(&folder, &body, &signatures)).await
}

async fn on_disk<T: Send + 'static>(
    work: impl FnOnce() -> std::io::Result<T> + Send + 'static,
) -> Result<T, ApiError> {
    let done = tokio::task::spawn_blocking(work).await;
    done.unwrap_or_else(|error| Err(std::io::Error::other(error)))
        .map_err(|error| {
            tracing::error!(%error, "an uploaded driver could not be written");
            ApiError::new(
                http::StatusCode::INTERNAL_SERVER_ERROR,
                "The component could not be written to the state directory.",
            )
        })
}

impl Upload {
    fn written(folder: &Path, body: &[u8], signatures: &str) -> std::io::Result<Self> {
        std::fs::DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(folder)?;
        let folder = tempfile::Builder::new().prefix(".tmp").tempdir_in(folder)?;
        let component = folder.path().join("component.wasm");
        let write = |path: &Path, bytes: &[u8]| {
            let mut options = std::fs::OpenOptions::new();
            let mut file = options
                .write(true)
                .create_new(true)
                .mode(0o600)
                .open(path)?;
            file.write_all(bytes)?;
            file.sync_all()
        };
        write(&component, body)?;
        if !signatures.is_empty() {
            write(&signatures_of(&component), signatures.as_bytes())?;
        }
        Ok(Self { folder, component })
    }

    /// Gives the file the name of its digest, so that the same component is kept once; the journal may name it from then on.
    /// Its signatures come first: there is no moment in which it is there without them.
    fn keep(self, folder: &Path, body: &[u8]) -> std::io::Result<PathBuf> {
        let path = folder.join(format!("{}.wasm", hex::encode(Sha256::digest(body))));
        let signatures = signatures_of(&self.component);
        if signatures.exists() {
            std::fs::rename(signatures, signatures_of(&path))?;
        }
        std::fs::rename(&self.component, &path)?;
        std::fs::File::open(folder)?.sync_all()?;
        drop(self.folder);
        Ok(path)
    }
}

/// Where the signatures of a component are: beside it, as minisign puts them.
fn signatures_of(component: &Path) -> PathBuf {
    let mut path = component.as_os_str().to_owned();
    path.push(".minisig");
    path.into()
}

async fn install(call: Call) -> Answer {
    let name = call.part("name");
    let drivers = call.control().drivers();
    // Nothing is written for a driver that is not configured, and nothing stays of a component that cannot be loaded.
    drivers.get(&call.caller, name).await?;
    let upload = uploaded(&call).await?;
    drivers
        .inspect(&call.caller, name, &upload.component)
        .await?;
    let (folder, body) = (call.state.drivers_dir.clone(), call.body.clone());
    let path = on_disk(move || upload.keep(&folder, &body)).await?;
    let made = drivers.install(&call.caller, name, &path).await?;
    json(201, &InstalledDriver::new(name, &made))
}

async fn inspect(call: Call) -> Answer {
    let upload = uploaded(&call).await?;
    let drivers = call.control().drivers();
    let name = call.part("name");
    let found = drivers
        .inspect(&call.caller, name, &upload.component)
        .await?;
    json(200, &InspectedDriver::new(&found))
}

/// An empty body counts as an empty object.
fn options(call: &Call) -> Result<Option<String>, ApiError> {
    if call.body.is_empty() {
        return Ok(None);
    }
    let mut fields = call.fields()?;
    let digest = fields.text("digest", 0..=64)?;
    // A driver's generation serves all its backends; naming one of them is allowed and changes nothing.
    fields.text("backend", 0..=255)?;
    fields.finish()?;
    Ok(digest)
}

async fn activate(call: Call) -> Answer {
    let digest = options(&call)?;
    let drivers = call.control().drivers();
    let name = call.part("name");
    let serving = drivers
        .activate(&call.caller, name, digest.as_deref())
        .await?;
    json(200, &DriverView::new(&serving))
}

async fn rollback(call: Call) -> Answer {
    options(&call)?;
    let drivers = call.control().drivers();
    let serving = drivers.rollback(&call.caller, call.part("name")).await?;
    json(200, &DriverView::new(&serving))
}
