//! The token with which Nova is asked: the operator's own, from the environment that `openstack` uses.

use std::time::Duration;

use anyhow::{Context, bail};
use serde_json::{Value, json};

/// Variables, as `openstack` names them.
pub struct Environment<'a>(pub &'a dyn Fn(&str) -> Option<String>);

impl Environment<'_> {
    fn get(&self, name: &str) -> Option<String> {
        (self.0)(name).filter(|value| !value.is_empty())
    }

    fn or(&self, name: &str, default: &str) -> String {
        self.get(name).unwrap_or_else(|| default.to_owned())
    }
}

/// `OS_TOKEN` as it is, or one that Keystone gives for `OS_USERNAME` and `OS_PASSWORD`.
///
/// # Errors
/// Something is not set, or Keystone refuses.
pub async fn token(environment: &Environment<'_>) -> anyhow::Result<String> {
    if let Some(token) = environment.get("OS_TOKEN") {
        return Ok(token);
    }
    let needed = |name: &str| {
        environment.get(name).with_context(|| {
            format!(
                "{name} is not set: Nova is asked with OS_TOKEN, or with OS_AUTH_URL, OS_USERNAME, OS_PASSWORD and OS_PROJECT_NAME"
            )
        })
    };
    let url = needed("OS_AUTH_URL")?;
    let (user, password) = (needed("OS_USERNAME")?, needed("OS_PASSWORD")?);
    let project = needed("OS_PROJECT_NAME")?;
    let user_domain = environment.or("OS_USER_DOMAIN_NAME", "Default");
    let project_domain = environment.or("OS_PROJECT_DOMAIN_NAME", "Default");
    let mut base = url.trim_end_matches('/').to_owned();
    if !base.ends_with("/v3") {
        base.push_str("/v3");
    }
    let body = json!({ "auth": {
        "identity": { "methods": ["password"], "password": { "user": {
            "name": user, "domain": { "name": user_domain }, "password": password,
        } } },
        "scope": { "project": { "name": project, "domain": { "name": project_domain } } },
    } });
    let answer = reqwest::Client::builder()
        .timeout(Duration::from_secs(20))
        .redirect(reqwest::redirect::Policy::none())
        .build()
        .context("cannot prepare HTTPS")?
        .post(format!("{base}/auth/tokens"))
        .json(&body)
        .send()
        .await
        .map_err(|error| anyhow::anyhow!("Keystone at {base} does not answer: {error}"))?;
    let status = answer.status();
    let token = answer.headers().get("x-subject-token").cloned();
    if let Some(token) = token.filter(|_| status.is_success()) {
        return Ok(token
            .to_str()
            .context("Keystone's token is no text")?
            .to_owned());
    }
    let body: Value = answer.json().await.unwrap_or_default();
    let why = body.pointer("/error/message").and_then(Value::as_str);
    match why {
        Some(why) => bail!("Keystone at {base} gives no token: {why}"),
        None => bail!("Keystone at {base} gives no token: it answered {status}"),
    }
}
