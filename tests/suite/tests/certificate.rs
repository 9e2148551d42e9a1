//! An array whose certificate the file does not vouch for: the reason goes all the way to the operator, who is not led to
//! fail over for a mistake in a file.
#![allow(clippy::unwrap_used, clippy::panic)]

use std::time::Duration;

use flasharray_sim::{Sim, SimConfig};
use springform_suite::guests;
use springform_suite::site::{PRIMARY, SECOND, Site};
use tokio::process::Command;
use tokio::time::Instant;

#[tokio::test(flavor = "multi_thread")]
async fn a_certificate_of_another_authority_is_named_by_status_and_not_called_unreachable() {
    let site = Site::new().unwrap();
    let stranger = Sim::start(SimConfig::pair(PRIMARY, SECOND)).unwrap();
    let text = std::fs::read_to_string(site.config()).unwrap();
    let (ours, theirs) = (site.sim.ca_file(), stranger.ca_file());
    let ours = ours.display().to_string();
    assert!(text.contains(&ours), "{text}");
    let text = text.replace(&ours, &theirs.display().to_string());
    std::fs::write(site.config(), text).unwrap();
    let host = site.host().await.unwrap();
    let deadline = Instant::now() + Duration::from_secs(120);
    let said = loop {
        let done = Command::new(guests::springform().unwrap())
            .args(["--url", &host.url, "status", "--backend", PRIMARY])
            .env("SPRINGFORM_TOKEN", "admin:0123456789abcdef0123456789abcdef")
            .output();
        let said = String::from_utf8(done.await.unwrap().stdout).unwrap();
        if said.contains("is not believed") {
            break said;
        }
        assert!(Instant::now() < deadline, "{said}\n{}", host.log());
        tokio::time::sleep(Duration::from_millis(200)).await;
    };
    let line = said.lines().find(|line| line.contains("not believed"));
    let line = line.unwrap();
    assert!(line.contains("certificate"), "{line}");
    assert!(!line.contains("could not be reached"), "{line}");
    assert!(host.stop().await.unwrap());
}
