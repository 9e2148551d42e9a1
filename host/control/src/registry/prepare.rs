//! A generation is made and probed beside what serves.

use std::path::Path;
use std::sync::Arc;

use springform_model::cloud::Service;
use springform_model::contract::{Call, CallError, Context, TargetHealth};

use super::{DriverLoader, Drivers, Generation, GenerationRecord, LoadRefusal, Loaded};
use crate::config::BackendConfig;

impl Drivers<'_> {
    /// Makes a generation beside what serves, and probes it; gives back what the probe saw of the arrays.
    pub(crate) async fn prepare(
        &self,
        record: &GenerationRecord,
        backend: &Arc<BackendConfig>,
        loader: &dyn DriverLoader,
        probed: bool,
    ) -> Result<(Generation, Vec<TargetHealth>), LoadRefusal> {
        let loaded = loader.load(Path::new(&record.path), backend).await?;
        if loaded.digest != record.digest {
            return Err(LoadRefusal::new(
                "verify",
                format!(
                    "{} is not the component that was installed: its digest is {} and not {}; install it anew",
                    record.path, loaded.digest, record.digest
                ),
            ));
        }
        loaded.driver.serve_as(record.number);
        let mut seen = Vec::new();
        if probed {
            seen = self.probe(&loaded, backend).await?;
        }
        let generation = Generation {
            number: record.number,
            driver_name: record.driver.clone(),
            version: loaded.driver.description().version.clone(),
            config: backend.clone(),
            loaded,
        };
        Ok((generation, seen))
    }

    /// Read only: the broker refuses requests of a check that would change an array. Arrays that are away are no reason
    /// to refuse a driver; a driver that traps is.
    async fn probe(
        &self,
        loaded: &Loaded,
        backend: &BackendConfig,
    ) -> Result<Vec<TargetHealth>, LoadRefusal> {
        let context = self.probe_context(loaded, backend).await;
        match loaded.driver.call(context, Call::Check).await {
            Ok(reply) => Ok(reply.into_check().unwrap_or_default()),
            Err(CallError::Pending(_)) => Ok(Vec::new()),
            Err(CallError::Failed(failure)) if failure.code.is_retryable() => Ok(Vec::new()),
            Err(error) => Err(LoadRefusal::new(
                "probe",
                format!("its check failed: {error}"),
            )),
        }
    }

    async fn probe_context(&self, loaded: &Loaded, backend: &BackendConfig) -> Context {
        let service = self
            .backends
            .store()
            .get::<Service>(&backend.name)
            .await
            .ok()
            .flatten();
        Context {
            operation_id: uuid::Uuid::now_v7().to_string(),
            backend: backend.name.clone(),
            options: loaded.options.clone(),
            targets: backend.targets.clone(),
            state: service
                .map(|service| service.record.driver_state)
                .unwrap_or_default(),
            cursor: Vec::new(),
            deadline_ms: 10_000,
            now: self.backends.now().as_millis(),
            extensions: Vec::new(),
        }
    }
}
