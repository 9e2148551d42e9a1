//! `[nova]`: the compute service that is asked before a disk is taken away from a server.

use std::path::{Path, PathBuf};

use super::section::Section;
use super::service::{AuthConfig, AuthMode};

/// `[nova]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NovaConfig {
    /// URL of the compute API, `https://nova:8774/v2.1`.
    pub url: String,
    /// CA file; none: the system's roots.
    pub ca_file: Option<PathBuf>,
}

impl NovaConfig {
    pub(super) fn read(mut section: Section<'_>, folder: &Path, auth: &AuthConfig) -> Option<Self> {
        let url = section.text_at("url");
        let ca_file = section.text_at("ca_file");
        if let (None, Some((_, line))) = (&url, &ca_file) {
            section.report(*line, "has `ca_file` and needs the key `url`");
        }
        let found = url.map(|(url, line)| {
            if let Err(wrong) = springform_api::NovaService::new(&url, None) {
                section.report(line, format!("has a `url` that cannot be used: {wrong}"));
            }
            if matches!(auth.mode, AuthMode::Tokens(_)) {
                section.report(
                    line,
                    "is asked with the caller's own token, and Nova cannot know one of `tokens_file`; \
                     use `mode = \"keystone\"`, or leave [nova] out and let Nova send a service token",
                );
            }
            Self {
                url,
                ca_file: ca_file.map(|(file, _)| folder.join(file)),
            }
        });
        section.finish();
        found
    }
}
