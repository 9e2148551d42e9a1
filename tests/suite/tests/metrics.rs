//! What the host counts, read by the real Prometheus and judged by its promtool.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

mod desk;

use std::time::Duration;

use desk::{Desk, PATIENCE};
use springform_suite::prometheus::{Prometheus, promtool};
use tokio::time::Instant;

async fn metrics(desk: &Desk, accept: &str) -> (String, String) {
    let url = format!("{}/metrics", desk.host.url);
    let request = reqwest::Client::new().get(url).header("accept", accept);
    let answer = request.send().await.unwrap();
    let kind = answer.headers()["content-type"]
        .to_str()
        .unwrap()
        .to_owned();
    (kind, answer.text().await.unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn prometheus_scrapes_a_running_host_and_promtool_has_nothing_against_its_metrics() {
    let desk = Desk::watching().await;
    let line = "springform_replication_protection{backend=\"pure1\",state=\"protected\"} 1";
    desk.shows(line).await;

    let (kind, text) = metrics(&desk, "text/plain").await;
    assert_eq!(kind, "text/plain; version=0.0.4; charset=utf-8");
    promtool(&["check", "metrics"], &text).await.expect(&text);
    let broken = text.replacen("\n# HELP", "# HELP", 2);
    assert!(promtool(&["check", "metrics"], &broken).await.is_err());

    let (kind, text) = metrics(&desk, "application/openmetrics-text;version=1.0.0").await;
    assert_eq!(
        kind,
        "application/openmetrics-text; version=1.0.0; charset=utf-8"
    );
    assert!(text.ends_with("\n# EOF\n"), "{text}");
    let help: Vec<&str> = text.lines().filter(|l| l.starts_with("# HELP")).collect();
    let types: Vec<&str> = text.lines().filter(|l| l.starts_with("# TYPE")).collect();
    assert_eq!(help.len(), types.len(), "{text}");

    let prometheus = Prometheus::start(&desk.host.url, None).await.unwrap();
    let deadline = Instant::now() + PATIENCE;
    let protected = "springform_replication_protection{state=\"protected\"}";
    loop {
        let (health, error) = prometheus.scrape().await.unwrap();
        assert_eq!(error, "", "it cannot be read");
        if health == "up" && prometheus.value(protected).await.unwrap() == ["1"] {
            break;
        }
        assert!(Instant::now() < deadline, "never scraped: {health}");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    let counted = "sum(springform_http_requests_total)%3E0";
    assert_eq!(prometheus.value(counted).await.unwrap().len(), 1);
    desk.ends().await;
}
