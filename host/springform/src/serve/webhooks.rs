//! Carries events to webhooks over HTTP: one CloudEvent in the structured form for each request, signed.

use std::collections::HashMap;
use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::Context;
use async_trait::async_trait;
use reqwest::header::{CONTENT_TYPE, RETRY_AFTER};
use reqwest::redirect::Policy;
use reqwest::{Certificate, Client, Response, StatusCode, Url};
use springform_control::outbox::{CloudEvent, DeliveryError, EventSender, sign};

use crate::config::{Secret, WebhookConfig};

struct Webhook {
    url: Url,
    secret: Secret,
    client: Client,
}

/// Knows the configured webhooks.
pub struct Webhooks(HashMap<String, Webhook>);

impl Webhooks {
    /// Prepares; nothing is sent yet.
    ///
    /// # Errors
    /// A CA file that cannot be used.
    pub fn new(configured: &[WebhookConfig]) -> anyhow::Result<Self> {
        let mut webhooks = HashMap::new();
        for config in configured {
            let webhook = Webhook {
                url: config.url.clone(),
                secret: config.secret.clone(),
                client: client(config)?,
            };
            webhooks.insert(config.name.clone(), webhook);
        }
        Ok(Self(webhooks))
    }
}

fn client(config: &WebhookConfig) -> anyhow::Result<Client> {
    let mut client = Client::builder()
        .user_agent(concat!("springform/", env!("CARGO_PKG_VERSION")))
        // A signed event is for whoever it was signed for.
        .redirect(Policy::none())
        .timeout(config.timeout);
    let Some(path) = &config.ca_file else {
        return client.build().context("cannot prepare HTTPS");
    };
    let file = format!("`ca_file` {}", path.display());
    let place = format!("[[webhook]] \"{}\" has {file}, which", config.name);
    let none = || format!("{place} holds no certificate in PEM form");
    let pem = std::fs::read(path).with_context(|| format!("{place} cannot be read"))?;
    let trusted = Certificate::from_pem_bundle(&pem).with_context(none)?;
    anyhow::ensure!(!trusted.is_empty(), none());
    client = client.tls_built_in_root_certs(false);
    for ca in trusted {
        client = client.add_root_certificate(ca);
    }
    // Only here it is seen whether what stands between the lines is a certificate.
    client.build().with_context(none)
}

#[async_trait]
impl EventSender for Webhooks {
    async fn send(&self, receiver: &str, event: &CloudEvent) -> Result<(), DeliveryError> {
        let webhook = self
            .0
            .get(receiver)
            .ok_or_else(|| DeliveryError::passing("the receiver is not configured"))?;
        let body = serde_json::to_vec(event).map_err(|error| {
            DeliveryError::passing(format!("the event cannot be written: {error}"))
        })?;
        // The receiver's clock is the world's, not the one that tests turn.
        let seconds = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .map_or(0, |since| since.as_secs());
        let signature = sign(
            webhook.secret.reveal().as_bytes(),
            &event.id,
            seconds,
            &body,
        );
        let answer = webhook
            .client
            .post(webhook.url.clone())
            .header(CONTENT_TYPE, "application/cloudevents+json; charset=utf-8")
            .header("webhook-id", &event.id)
            .header("webhook-timestamp", seconds)
            .header("webhook-signature", signature)
            .body(body)
            .send()
            .await;
        match answer {
            Ok(answer) if answer.status().is_success() => Ok(()),
            Ok(answer) => Err(refused(&answer)),
            // The URL may hold a token; the reason never needs it.
            Err(error) => Err(DeliveryError::passing(innermost(&error.without_url()))),
        }
    }
}

fn refused(answer: &Response) -> DeliveryError {
    let status = answer.status();
    let after = answer.headers().get(RETRY_AFTER);
    let after = after.and_then(|value| value.to_str().ok()?.parse().ok());
    let why = if status.is_redirection() {
        format!("it answered {status}; redirects are not followed")
    } else {
        format!("it answered {status}")
    };
    DeliveryError {
        why,
        gone: status == StatusCode::GONE,
        after_seconds: after,
    }
}

fn innermost(error: &dyn std::error::Error) -> String {
    match error.source() {
        Some(source) => innermost(source),
        None => error.to_string(),
    }
}
