//! TLS of the API: shown, exchanged, and what is wrong with a certificate.

use std::process::Stdio;
use std::time::Duration;

use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair, date_time_ymd};
use reqwest::Certificate;

use crate::house::{House, TOKEN, chmod};

struct Authority {
    issuer: Issuer<'static, KeyPair>,
    pem: String,
}

impl Authority {
    fn new() -> Self {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let pem = params.self_signed(&key).unwrap().pem();
        Self {
            issuer: Issuer::new(params, key),
            pem,
        }
    }

    /// A certificate of 127.0.0.1 and its key; `until`: the year it ends.
    fn signs(&self, until: i32) -> (String, String) {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new(vec!["127.0.0.1".to_owned()]).unwrap();
        params.not_before = date_time_ymd(2020, 1, 1);
        params.not_after = date_time_ymd(until, 1, 1);
        let certificate = params.signed_by(&key, &self.issuer).unwrap();
        (certificate.pem(), key.serialize_pem())
    }

    fn client(&self) -> reqwest::Client {
        reqwest::Client::builder()
            .add_root_certificate(Certificate::from_pem(self.pem.as_bytes()).unwrap())
            // A fresh handshake for each request.
            .pool_max_idle_per_host(0)
            .timeout(Duration::from_secs(60))
            .build()
            .unwrap()
    }
}

fn house(authority: &Authority) -> House {
    let house = House::new(
        "tls_certificate_file = \"server.pem\"\ntls_key_file = \"server.key\"",
        "[auth]\nmode = \"tokens\"\ntokens_file = \"tokens.toml\"",
    );
    shows(&house, &authority.signs(2090));
    house.write("ca.pem", &authority.pem, 0o644);
    house
}

fn shows(house: &House, (certificate, key): &(String, String)) {
    house.write("server.pem", certificate, 0o644);
    house.write("server.key", key, 0o600);
}

async fn command(house: &House, arguments: &[&str]) -> (Option<i32>, String) {
    let url = format!("https://{}", house.address);
    let mut all = vec!["--url", &url];
    all.extend(arguments);
    let output = house.run(&all, Stdio::piped()).await;
    let text = [output.stdout, output.stderr].concat();
    (output.status.code(), String::from_utf8(text).unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn the_api_speaks_tls_and_shows_a_renewed_certificate_after_a_reload() {
    let (first, second) = (Authority::new(), Authority::new());
    let house = house(&first);
    let url = format!("https://{}", house.address);
    let mut child = house.serve("exec", Stdio::null());
    house.is_ready(&mut child, &first.client(), &url).await;
    assert!(
        reqwest::get(format!("{}/healthz", house.url()))
            .await
            .is_err(),
        "in clear"
    );

    let links = first
        .client()
        .get(format!("{url}/v3/"))
        .send()
        .await
        .unwrap();
    assert!(links.text().await.unwrap().contains(&format!("{url}/v3/")));
    let ca = house.path("ca.pem");
    let trusted = ["--cacert", ca.to_str().unwrap()];
    let reload = [&trusted[..], &["config", "reload"]].concat();
    let (code, said) = command(&house, &["driver", "list"]).await;
    assert_eq!(code, Some(1));
    assert!(said.contains("--cacert"), "{said}");
    let (code, said) = command(&house, &reload).await;
    assert_eq!(
        (code, said.contains("nothing changed")),
        (Some(0), true),
        "{said}"
    );

    // What is wrong with the next one is said, and the first one is shown on.
    let expired = first.signs(2021);
    let good = first.signs(2090);
    let bad = [
        (expired, 0o600, "ended on"),
        (
            (good.0.clone(), first.signs(2090).1),
            0o600,
            "does not belong",
        ),
        (good, 0o644, "chmod 600"),
    ];
    for (pair, mode, word) in bad {
        shows(&house, &pair);
        chmod(&house.path("server.key"), mode);
        for arguments in [&reload[..], &["config", "check"]] {
            let (code, said) = command(&house, arguments).await;
            assert_eq!(code, Some(1), "{said}");
            assert!(
                said.contains(word) && said.contains("springform.toml:3"),
                "{said}"
            );
            assert!(!said.contains("PRIVATE KEY"), "{said}");
        }
        let served = first.client().get(format!("{url}/healthz")).send().await;
        assert!(served.unwrap().status().is_success());
    }

    shows(&house, &second.signs(2090));
    let (code, said) = command(&house, &reload).await;
    assert_eq!(code, Some(0), "{said}");
    assert!(said.contains("reloaded: certificate of the API"), "{said}");
    let asked = second.client().get(format!("{url}/v3/types"));
    let asked = asked.header("x-auth-token", TOKEN).send().await.unwrap();
    assert_eq!(asked.status(), 200);
    assert!(
        first.client().get(&url).send().await.is_err(),
        "the old one is shown"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_host_does_not_start_with_a_certificate_that_nobody_would_believe() {
    let authority = Authority::new();
    let house = house(&authority);
    shows(&house, &authority.signs(2021));
    let error = house.does_not_start().await;
    assert!(error.contains("ended on"), "{error}");
    std::fs::remove_file(house.path("server.key")).unwrap();
    shows(&house, &authority.signs(2090));
    std::fs::write(house.path("server.pem"), "nothing").unwrap();
    let error = house.does_not_start().await;
    assert!(error.contains("no certificate in PEM form"), "{error}");
}
