//! Arrays that answer and are not believed: real certificates of every wrong kind, and what is said of each. And what their
//! clocks say.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

mod support;

use std::path::PathBuf;
use std::time::{Duration, SystemTime};

use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair, date_time_ymd};
use springform_model::contract::{Call, Driver};
use springform_sandbox::{BoundDriver, TargetBinding, TlsTrust};
use support::array::Array;
use support::{context, driver};

/// A certificate, changed as a test wants it.
fn params(name: &str, change: impl FnOnce(&mut CertificateParams)) -> CertificateParams {
    let mut params = CertificateParams::new(vec![name.to_owned()]).unwrap();
    params.distinguished_name.push(DnType::CommonName, name);
    change(&mut params);
    params
}

fn authority(params: &mut CertificateParams) {
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
}

/// A folder with an authority's file, and who it is.
struct Trusted {
    folder: tempfile::TempDir,
    issuer: Issuer<'static, KeyPair>,
}

impl Trusted {
    fn new() -> Self {
        Self::named("The authority")
    }

    fn named(name: &str) -> Self {
        let key = KeyPair::generate().unwrap();
        let ca = params(name, authority);
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(
            folder.path().join("ca.pem"),
            ca.self_signed(&key).unwrap().pem(),
        )
        .unwrap();
        let issuer = Issuer::new(ca, key);
        Self { folder, issuer }
    }

    fn file(&self) -> PathBuf {
        self.folder.path().join("ca.pem")
    }

    /// An array whose certificate this authority signed.
    async fn array(&self, params: CertificateParams) -> Array {
        let key = KeyPair::generate().unwrap();
        let certificate = params.signed_by(&key, &self.issuer).unwrap();
        Array::presenting(&certificate, &key, "localhost").await
    }

    async fn driver(&self, array: &Array) -> BoundDriver {
        trusting(array, TlsTrust::CaFile(self.file())).await
    }
}

/// An array whose certificate signed itself.
async fn itself(params: CertificateParams) -> Array {
    let key = KeyPair::generate().unwrap();
    let certificate = params.self_signed(&key).unwrap();
    Array::presenting(&certificate, &key, "localhost").await
}

async fn trusting(array: &Array, trust: TlsTrust) -> BoundDriver {
    driver(
        "hostile",
        vec![TargetBinding::new("a", &array.address, trust)],
    )
    .await
}

/// Its own certificate as the operator's file.
async fn naming_itself(array: &Array) -> BoundDriver {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("own.pem");
    std::fs::write(&file, &array.certificate_pem).unwrap();
    trusting(array, TlsTrust::CaFile(file)).await
}

/// What a driver is told of a request: the status, or the error.
async fn ask(driver: &BoundDriver) -> String {
    let reply = driver.call(context("get", "https://a/"), Call::Stats).await;
    let stats = reply.unwrap().into_stats().unwrap();
    let said: std::collections::BTreeMap<_, _> =
        stats.pools[0].capabilities.iter().cloned().collect();
    said.get("status").or(said.get("error")).unwrap().clone()
}

/// Is not believed, and for this reason.
async fn distrusts(driver: &BoundDriver, words: &[&str]) {
    // More often than the breaker's patience: a distrusted array is never taken for one that is away.
    for _ in 0..5 {
        assert_eq!(ask(driver).await, "ErrorCode::TlsCertificateError");
    }
    let why = driver.targets()[0].distrust.clone().unwrap();
    for word in words {
        assert!(why.contains(word), "no {word:?} in: {why}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_certificate_out_of_its_time_says_its_dates_and_the_hosts_clock() {
    let trusted = Trusted::new();
    let old = params("localhost", |p| p.not_after = date_time_ymd(2020, 2, 29));
    let array = trusted.array(old).await;
    let words = [
        "expired on 2020-02-29T00:00:00Z",
        "this host's clock says 20",
        "renew it",
    ];
    distrusts(&trusted.driver(&array).await, &words).await;

    let early = params("localhost", |p| {
        p.not_before = date_time_ymd(2990, 1, 1);
        p.not_after = date_time_ymd(2999, 1, 1);
    });
    let array = trusted.array(early).await;
    let words = ["valid only from 2990-01-01T00:00:00Z", "compare the clocks"];
    distrusts(&trusted.driver(&array).await, &words).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_certificate_for_another_name_says_both_names() {
    let trusted = Trusted::new();
    let array = trusted.array(params("array.example", |_| ())).await;
    let words = [
        "array.example",
        "the configured address is localhost",
        "`fingerprint`",
        &array.fingerprint,
    ];
    distrusts(&trusted.driver(&array).await, &words).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_certificate_that_nobody_vouches_for_says_who_signed_it_and_what_to_configure() {
    let (trusted, other) = (Trusted::new(), Trusted::named("Another authority"));
    let renewed = Trusted::new().array(params("localhost", |_| ())).await;
    let words = [
        "the name of one in `ca_file` and another key",
        &renewed.fingerprint,
    ];
    distrusts(&trusted.driver(&renewed).await, &words).await;
    let array = other.array(params("localhost", |_| ())).await;
    let words = [
        "signed by nobody who is trusted",
        "`ca_file`",
        "`fingerprint`",
    ];
    distrusts(&trusted.driver(&array).await, &words).await;

    let array = itself(params("localhost", |_| ())).await;
    let words = ["signed itself", "`ca_file`", &array.fingerprint];
    distrusts(&trusted.driver(&array).await, &words).await;
    distrusts(
        &trusting(&array, TlsTrust::System).await,
        &["signed itself"],
    )
    .await;

    let pinned = TlsTrust::Fingerprint(other.array(params("localhost", |_| ())).await.fingerprint);
    let words = ["not the one of `fingerprint`", &array.fingerprint];
    distrusts(&trusting(&array, pinned).await, &words).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_arrays_own_certificate_that_calls_itself_an_authority_works_as_ca_file() {
    let own = itself(params("localhost", authority)).await;
    assert_eq!(ask(&naming_itself(&own).await).await, "200");

    // It vouches for itself, not for whoever else; and neither its dates nor its name are overlooked.
    let trusted = Trusted::new();
    let words = ["CA:TRUE", "`ca_file`", &own.fingerprint];
    distrusts(&trusted.driver(&own).await, &words).await;
    let signed = trusted.array(params("localhost", authority)).await;
    distrusts(&trusted.driver(&signed).await, &["CA:TRUE"]).await;
    let old = itself(params("localhost", |p| {
        authority(p);
        p.not_after = date_time_ymd(2020, 2, 29);
    }))
    .await;
    distrusts(&naming_itself(&old).await, &["expired on 2020-02-29"]).await;
    let elsewhere = itself(params("array.example", authority)).await;
    distrusts(&naming_itself(&elsewhere).await, &["array.example"]).await;
}

#[tokio::test]
async fn the_reason_is_logged_once_and_not_that_the_array_is_away() {
    let trusted = Trusted::new();
    let array = trusted
        .array(params("localhost", |p| {
            p.not_after = date_time_ymd(2020, 2, 29)
        }))
        .await;
    let log = support::log::Captured::default();
    let driver = trusted.driver(&array).await;
    {
        let _guard = tracing::subscriber::set_default(log.subscriber());
        for _ in 0..3 {
            ask(&driver).await;
        }
    }
    let text = log.text();
    let told = text
        .lines()
        .filter(|line| line.contains("array-distrusted"));
    let told: Vec<_> = told.collect();
    assert_eq!(told.len(), 1, "{text}");
    assert!(told[0].contains("expired on 2020-02-29"), "{text}");
    assert!(!text.contains("reached"), "{text}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_speaks_no_tls_is_distrusted_and_what_hangs_up_is_away() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    tokio::spawn(async move {
        while let Ok((mut tcp, _)) = listener.accept().await {
            let greeting = b"220 mail.example ESMTP\r\n";
            let _ = tokio::io::AsyncWriteExt::write_all(&mut tcp, greeting).await;
            let _ = tokio::io::AsyncReadExt::read(&mut tcp, &mut [0; 1024]).await;
        }
    });
    let binding = TargetBinding::new("a", address, TlsTrust::System);
    let driver = support::driver("hostile", vec![binding]).await;
    assert_eq!(ask(&driver).await, "ErrorCode::TlsProtocolError");
    let why = driver.targets()[0].distrust.clone().unwrap();
    assert!(why.contains("TLS with it failed"), "{why}");

    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    tokio::spawn(async move {
        while let Ok((tcp, _)) = listener.accept().await {
            drop(tcp);
        }
    });
    let binding = TargetBinding::new("a", address, TlsTrust::System);
    let driver = support::driver("hostile", vec![binding]).await;
    assert_eq!(ask(&driver).await, "ErrorCode::ConnectionTerminated");
    assert_eq!(driver.targets()[0].distrust, None);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_array_whose_answers_carry_a_date_has_its_clock_compared() {
    let array = Array::plain().await;
    let driver = trusting(&array, TlsTrust::PlainHttp).await;
    ask(&driver).await;
    assert_eq!(driver.targets()[0].clock, None, "it said nothing");
    let day = Duration::from_secs(86_400);
    let now = SystemTime::now();
    for (time, days) in [(now, 0), (now + 2 * day, 2), (now - 3 * day, -3)] {
        *array.facts.dated.lock().unwrap() = Some(httpdate::fmt_http_date(time));
        ask(&driver).await;
        let clock = driver.targets()[0].clock.unwrap();
        assert_eq!(
            (clock.seconds + clock.seconds.signum() * 3600) / 86_400,
            days
        );
        assert_eq!(clock.within_bound(), days == 0);
    }
    *array.facts.dated.lock().unwrap() = Some("yesterday".to_owned());
    ask(&driver).await;
    let clock = driver.targets()[0].clock.unwrap();
    assert!(clock.seconds < 0, "what is no date changes nothing");
}
