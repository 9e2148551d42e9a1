//! The file this host was started with, read again.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use springform_api::Tls;
use springform_control::reload::{Candidate, Source};

use super::loader::Loader;
use super::{access, plan};
use crate::config::compare::{self, Authorities};
use crate::config::{Config, ConfigError};

/// A reading of the file that serves.
struct Serving {
    config: Config,
    authorities: Authorities,
    certificate: Option<Vec<u8>>,
}

/// The host's own file.
pub struct File {
    loader: Loader,
    tls: Option<Tls>,
    serving: Arc<Mutex<Arc<Serving>>>,
}

impl File {
    /// The file that this configuration was read from, and that serves.
    #[must_use]
    pub fn new(config: Config, loader: &Loader, tls: Option<Tls>) -> Self {
        Self {
            loader: loader.without_configuration(),
            tls,
            serving: Arc::new(Mutex::new(Arc::new(Serving::new(config)))),
        }
    }
}

impl Serving {
    fn new(config: Config) -> Self {
        let authorities = compare::authorities(&config);
        let certificate = config.service.tls.as_ref();
        // One that cannot be read is refused where it is used.
        let certificate = certificate.and_then(|files| std::fs::read(&files.certificate).ok());
        Self {
            config,
            authorities,
            certificate,
        }
    }
}

#[async_trait]
impl Source for File {
    async fn read(&self, files: &BTreeMap<String, PathBuf>) -> Result<Candidate, Vec<String>> {
        let serving = match self.serving.lock() {
            Ok(serving) => serving.clone(),
            Err(_) => {
                return Err(vec![
                    "an earlier reload broke off; restart the host".to_owned(),
                ]);
            }
        };
        let config = Config::load(&serving.config.path).map_err(|error| lines(&error))?;
        let loader = Arc::new(self.loader.with(&config));
        let mut problems = compare::fixed(&serving.config, &config);
        let (backends, wrong) = plan::backends(&config, &loader, files).await;
        problems.extend(wrong);
        let certificate = access::certificate(&config.service).unwrap_or_else(|problem| {
            problems.push(problem);
            None
        });
        if !problems.is_empty() {
            problems.sort_by_key(|problem| problem.line);
            let path = config.path;
            return Err(lines(&ConfigError { path, problems }));
        }
        let read = Serving::new(config);
        let changed = compare::changed(
            (&serving.config, &serving.authorities),
            (&read.config, &read.authorities),
        );
        let file = read.config.path.display();
        let places = read.config.backends.iter();
        let places = places.map(|b| (b.name.clone(), format!("{file}:{}", b.line)));
        let places = places.collect();
        let (held, drivers) = (self.serving.clone(), plan::drivers(&read.config));
        let mut host = Vec::new();
        if read.certificate != serving.certificate {
            host.push("certificate of the API".to_owned());
        }
        let tls = self.tls.clone();
        Ok(Candidate {
            drivers,
            backends,
            changed,
            host,
            places,
            loader,
            adopt: Box::new(move || {
                if let (Some(tls), Some(certificate)) = (tls, certificate) {
                    tls.show(certificate);
                }
                if let Ok(mut held) = held.lock() {
                    *held = Arc::new(read);
                }
            }),
        })
    }
}

/// One sentence each, as `springform config check` prints them.
fn lines(error: &ConfigError) -> Vec<String> {
    error.to_string().lines().map(str::to_owned).collect()
}
