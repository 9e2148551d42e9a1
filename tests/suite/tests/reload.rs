//! The configuration is reloaded in the real program, with the real driver: what may change does while requests go on, and
//! whatever is wrong leaves exactly what served before.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

mod desk;

use desk::{Desk, PATIENCE};
use flasharray_sim::SimConfig;
use reqwest::Method;
use serde_json::{Value, json};
use springform_suite::site::{PRIMARY, SECOND};
use tokio::process::Command;
use tokio::time::Instant;

const RELOAD: [&str; 2] = ["config", "reload"];

/// The generation that serves the backend.
async fn generation(desk: &Desk) -> u64 {
    let said = desk.does(&["--format", "json", "driver", "list"]).await;
    let list: Value = serde_json::from_str(&said.out).unwrap();
    let backends = list["drivers"][0]["backends"].as_array().unwrap();
    let backend = backends.iter().find(|b| b["backend"] == PRIMARY);
    backend.unwrap()["generation"].as_u64().unwrap()
}

/// A changed file is refused with these words, the host serves on as before, and the file is what it was.
async fn is_refused(desk: &Desk, from: &str, to: &str, words: &[&str]) {
    let good = std::fs::read_to_string(desk.site.config()).unwrap();
    assert!(good.contains(from), "{from}");
    desk.edit(|text| text.replacen(from, to, 1));
    let err = desk.refused(&RELOAD).await;
    for word in words
        .iter()
        .chain(&["what served before still serves:\n", "springform.toml:"])
    {
        assert!(err.contains(word), "no {word} in {err}");
    }
    assert!(!err.contains(&desk.site.sim.api_token(PRIMARY)), "{err}");
    assert_eq!(generation(desk).await, 1);
    desk.edit(|_| good);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_cannot_be_used_is_refused_as_a_whole_and_every_line_is_named() {
    let desk = Desk::new().await;
    let config = desk.site.config();
    let line = |word: &str| {
        let text = std::fs::read_to_string(&config).unwrap();
        let at = text.lines().position(|line| line.contains(word)).unwrap();
        format!("springform.toml:{}: ", at + 1)
    };
    let backend = line("[[backend]]");
    let device = line("[[backend.replication_device]]");

    is_refused(&desk, "san_ip", "san_iq = 1\n= ", &["is not valid TOML"]).await;
    is_refused(
        &desk,
        "type = \"async\"",
        "type = \"asink\"\nssl_cert_verify = false",
        &["asink", "ssl_cert_verify"],
    )
    .await;
    is_refused(
        &desk,
        "driver = \"pure-async\"",
        "driver = \"pure-async\"\npure_colour = 3",
        &["has the unknown key `pure_colour`", "pure-async"],
    )
    .await;
    is_refused(
        &desk,
        "[[backend]]",
        "[driver.other]\npath = \"nothing.wasm\"\n\n[[backend]]",
        &["[driver.other] cannot be used", &backend],
    )
    .await;
    let token = format!("pure_api_token = \"{}\"", desk.site.sim.api_token(PRIMARY));
    is_refused(
        &desk,
        &token,
        "pure_api_token_file = \"nowhere.secret\"",
        &["nowhere.secret, which cannot be read"],
    )
    .await;
    is_refused(
        &desk,
        "backend_id = \"sec2\"",
        "backend_id = \"default\"",
        &[&device, "which is the word for failing back"],
    )
    .await;
    is_refused(
        &desk,
        "ca_file = \"",
        "ca_file = \"nowhere/",
        &[&backend, "backend pure1 was refused at the stage bind"],
    )
    .await;

    // All at once, each with its line.
    let listen = line("listen");
    let inline = line("allow_inline_secrets");
    is_refused(
        &desk,
        "allow_inline_secrets = true",
        "observe_seconds = 7\nallow_inline_secrets = true\n\n[auth]\nmode = \"noauth\"\nkeystone_domain = \"d\"\n\n[limits]\nbody_kib = 5",
        &[
            &format!("{inline}`service.observe_seconds` cannot change while the host runs; restart it for that\n"),
            "`auth.keystone_domain` cannot change while the host runs",
            "`limits.body_kib` cannot change while the host runs",
        ],
    )
    .await;
    is_refused(
        &desk,
        &format!("listen = \"{}\"", desk.site.address),
        "listen = \"127.0.0.1:1\"\nhost = \"other\"",
        &[
            &format!(
                "{listen}`service.listen` cannot change while the host runs; restart it for that\n"
            ),
            "`service.host` cannot change",
            "`backend_host` cannot change",
        ],
    )
    .await;
    is_refused(
        &desk,
        "[[backend]]",
        "[[webhook]]\nname = \"ops\"\nurl = \"http://127.0.0.1:9/\"\nsecret = \"0123456789abcdef\"\n\n[[backend]]",
        &["[[webhook]] \"ops\" cannot change while the host runs"],
    )
    .await;

    let same = desk.does(&RELOAD).await;
    assert_eq!(
        same.out,
        "nothing changed: the file says what serves already\n"
    );
    assert_eq!(generation(&desk).await, 1);
    desk.ends().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_api_token_is_exchanged_without_a_request_that_fails_and_without_being_said() {
    let desk = Desk::new().await;
    let old = desk.site.sim.api_token(PRIMARY);
    let control = &desk.site.control;
    // A token that the array does not know is noticed before it serves.
    desk.edit(|text| text.replace(&old, "none-of-its-tokens"));
    let err = desk.refused(&RELOAD).await;
    let why =
        "backend pure1 was refused at the stage probe: array pure1 answers now, and would not";
    assert!(err.contains(why), "{err}");
    assert!(!err.contains("none-of-its-tokens"), "{err}");
    assert_eq!(generation(&desk).await, 1);

    let busy = desk.goes_on_making();
    control
        .api_token(PRIMARY, "fresh-token", true)
        .await
        .unwrap();
    desk.edit(|text| text.replace("none-of-its-tokens", "fresh-token"));
    let dry = desk.does(&["config", "reload", "--dry-run"]).await;
    assert_eq!(
        dry.out,
        "would reload: backend pure1 changes (pure_api_token); 0 other backends changed\n"
    );
    let said = desk.does(&RELOAD).await;
    assert_eq!(
        said.out,
        "reloaded: backend pure1 changed (pure_api_token), generation 2 of pure-async serves it; 0 other backends changed\n"
    );
    // What began with the old token has ended with it before it is taken away.
    let made = desk.cloud.create_volume("later", 1, "replicated").await;
    desk.cloud
        .volume_becomes(&made.unwrap(), "available")
        .await
        .unwrap();
    assert!(busy.stops().await > 0);
    control
        .api_token(PRIMARY, "fresh-token", false)
        .await
        .unwrap();
    let made = desk.cloud.create_volume("last", 1, "replicated").await;
    desk.cloud
        .volume_becomes(&made.unwrap(), "available")
        .await
        .unwrap();
    let log = desk.host.log();
    assert!(log.contains("the configuration was reloaded"), "{log}");
    assert!(!log.contains("fresh-token") && !log.contains(&old), "{log}");
    desk.ends().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_signal_reloads_too_and_a_bad_file_does_not_end_the_host() {
    let desk = Desk::new().await;
    let hangup = async || {
        let pid = desk.host.pid().unwrap().to_string();
        let sent = Command::new("kill").args(["-HUP", &pid]).status().await;
        assert!(sent.unwrap().success());
    };
    let logs = async |word: &str| {
        let deadline = Instant::now() + PATIENCE;
        while !desk.host.log().contains(word) {
            assert!(Instant::now() < deadline, "{}", desk.host.log());
            tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        }
    };
    desk.edit(|text| text.replace("san_ip", "san_iq"));
    hangup().await;
    logs("needs the key `san_ip`").await;
    assert_eq!(generation(&desk).await, 1);
    desk.edit(|text| {
        text.replace("san_iq", "san_ip").replace(
            "pure_api_token =",
            "failback_discards_old_primary = true\npure_api_token =",
        )
    });
    hangup().await;
    logs("the configuration was reloaded").await;
    assert_eq!(generation(&desk).await, 2);
    desk.ends().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_operation_under_way_is_in_the_way_and_a_plan_does_not_outlive_a_reload() {
    let desk = Desk::new().await;
    desk.time_stands_still(true);
    let resync = ["resync", "--backend", PRIMARY, "--to", SECOND, "--no-wait"];
    let begun = desk.does(&resync).await;
    let id = begun.out.trim();
    desk.edit(|text| {
        text.replace(
            "pure_api_token =",
            "failback_discards_old_primary = true\npure_api_token =",
        )
    });
    let err = desk.refused(&RELOAD).await;
    assert!(
        err.contains(&format!("operation {id} holds backend pure1"))
            && err.contains(&format!("in the way: operation {id}")),
        "{err}"
    );
    assert_eq!(generation(&desk).await, 1);
    desk.time_stands_still(false);
    desk.does(&["operation", "watch", id]).await;

    let plan = [
        "--format",
        "json",
        "plan",
        "--backend",
        PRIMARY,
        "--to",
        SECOND,
    ];
    let plan: Value = serde_json::from_str(&desk.does(&plan).await.out).unwrap();
    desk.does(&RELOAD).await;
    assert_eq!(generation(&desk).await, 2);
    let late = ["failover", "--plan", plan["id"].as_str().unwrap(), "--yes"];
    let late: Vec<&str> = late
        .iter()
        .chain(&["--backend", PRIMARY])
        .copied()
        .collect();
    let late = desk.refused(&late).await;
    assert!(late.contains("was made from has changed since"), "{late}");
    desk.ends().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backend_that_is_added_is_given_volumes_and_can_go_when_it_has_none() {
    let desk = Desk::on(SimConfig::trio(PRIMARY, SECOND, "new3"), "").await;
    let before = std::fs::read_to_string(desk.site.config()).unwrap();
    let sim = &desk.site.sim;
    let more = format!(
        "\n[[backend]]\nvolume_backend_name = \"new3\"\ndriver = \"pure-async\"\nsan_ip = \"{}\"\npure_api_token = \"{}\"\nca_file = \"{}\"\n",
        sim.address("new3"),
        sim.api_token("new3"),
        sim.ca_file().display(),
    );
    desk.edit(|text| text + &more);
    let said = desk.does(&RELOAD).await;
    assert_eq!(
        said.out,
        "reloaded: backend new3 added, generation 2 of pure-async serves it; 0 other backends changed\n"
    );
    assert_eq!(generation(&desk).await, 1, "pure1 is left alone");
    let pools = desk.cloud.ask(
        Method::GET,
        "/v3/0123456789abcdef0123456789abcdef/scheduler-stats/get_pools",
        None,
    );
    let pools = pools.await.unwrap().to_string();
    assert!(pools.contains("springform@new3#"), "{pools}");
    let specs = json!({"volume_backend_name": "new3"});
    desk.cloud.create_type("third", &specs).await.unwrap();
    let volume = desk.cloud.create_volume("there", 1, "third").await.unwrap();
    desk.cloud
        .volume_becomes(&volume, "available")
        .await
        .unwrap();

    desk.edit(|_| before);
    let err = desk.refused(&RELOAD).await;
    assert!(err.contains("service-disable springform@new3"), "{err}");
    let body = json!({"host": "springform@new3", "binary": "cinder-volume"});
    desk.cloud.put_service("disable", &body).await.unwrap();
    let err = desk.refused(&RELOAD).await;
    assert!(err.contains(&format!("volume {volume} is one")), "{err}");
    let path = format!("/v3/volumes/{volume}");
    desk.cloud.ask(Method::DELETE, &path, None).await.unwrap();
    let deadline = Instant::now() + PATIENCE;
    loop {
        let said = desk.run(&RELOAD).await;
        if said.code == 0 {
            assert_eq!(
                said.out,
                "reloaded: backend new3 removed; 0 other backends changed\n"
            );
            break;
        }
        assert!(Instant::now() < deadline, "{}", said.err);
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    }
    assert!(desk.cloud.service("springform@new3").await.is_err());
    desk.ends().await;
}
