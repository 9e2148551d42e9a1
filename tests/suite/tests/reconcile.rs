//! Records and arrays held against each other, on the real program with the real driver: what differs is listed, put right,
//! and what nobody knows is named and left alone.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

mod desk;

use desk::Desk;
use flasharray_sim::FaultSpec;
use reqwest::Method;
use serde_json::json;
use springform_suite::site::{PRIMARY, SECOND, SERVICE};

const DRY: [&str; 4] = ["reconcile", "--backend", PRIMARY, "--dry-run"];
const DO: [&str; 3] = ["reconcile", "--backend", PRIMARY];

#[tokio::test(flavor = "multi_thread")]
async fn a_group_of_another_name_takes_the_volumes_over_and_the_old_one_stops() {
    let desk = Desk::with("pure_replication_pg_name = \"before\"").await;
    let name = format!("volume-{}-cinder", desk.volume);
    let nothing = desk.does(&DRY).await;
    assert!(!nothing.out.contains("would have"), "{}", nothing.out);
    desk.edit(|text| text.replace("\"before\"", "\"renamed\""));
    desk.does(&["config", "reload"]).await;
    let expected = [
        format!("put {name} into protection group renamed"),
        format!("taken {name} out of protection group before"),
        "stopped protection group before".to_owned(),
    ];
    let told = desk.does(&DRY).await;
    let done = desk.does(&DO).await;
    for change in expected {
        assert!(
            told.out.contains(&format!("would have {change}")),
            "{}",
            told.out
        );
        assert!(done.out.contains(&change), "{}", done.out);
    }
    let nothing = desk.does(&DRY).await;
    assert!(!nothing.out.contains("would have"), "{}", nothing.out);
    // It is compared again by itself once a reconciliation is over.
    desk.shows("springform_replication_differences{backend=\"pure1\"} 0")
        .await;
    desk.ends().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_volume_whose_disabling_an_array_refused_half_way_works_and_is_brought_back() {
    let desk = Desk::stretched().await;
    let inside = format!("cinder-pod::volume-{}-cinder", desk.volume);
    let fault = json!({
        "kind": "status", "status": 409, "method": "DELETE", "path": "pods/arrays", "count": 1,
    });
    let fault: FaultSpec = serde_json::from_value(fault).unwrap();
    desk.site.control.fault(PRIMARY, &fault).await.unwrap();
    let volume = ["--volume", &desk.volume];
    desk.refused(&["disable", volume[0], volume[1]]).await;

    desk.attach().await;
    let made = desk.cloud.volume(&desk.volume).await.unwrap();
    assert_eq!(made["status"], "in-use", "{made}");
    let plan = ["plan", "failover", volume[0], volume[1], "--to", SECOND];
    let plan = desk.run(&plan).await;
    let said = plan.out + &plan.err;
    assert!(said.contains("springform reconcile"), "{said}");
    let dry = desk.does(&DRY).await.out;
    let back = format!("back to {inside}");
    assert!(dry.contains(&back), "{dry}");
    let done = desk.does(&DO).await.out;
    assert!(done.contains(&back), "{done}");
    let body = json!({"snapshot": {"volume_id": desk.volume, "force": true}});
    let taken = desk.cloud.ask(Method::POST, "/v3/snapshots", Some(&body));
    let taken = taken.await.unwrap()["snapshot"]["id"].clone();
    let path = format!("/v3/snapshots/{}", taken.as_str().unwrap());
    while desk.cloud.ask(Method::GET, &path, None).await.unwrap()["snapshot"]["status"]
        != "available"
    {
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    // The attachment and the snapshot are in the records and on the arrays: nothing differs.
    let dry = desk.does(&DRY).await.out;
    assert!(
        !dry.contains("would have") && !dry.contains(&desk.volume),
        "{dry}"
    );
    let over = [
        "failover",
        volume[0],
        volume[1],
        "--to",
        SECOND,
        "--planned",
        "--yes",
    ];
    desk.does(&over).await;
    assert_eq!(desk.served_by().await, SECOND);
    desk.ends().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_volume_that_no_record_knows_is_named_and_stays() {
    let desk = Desk::new().await;
    let folder = desk.site.folder().to_owned();
    let backup = folder.join("backup");
    std::fs::create_dir(&backup).unwrap();
    let desk = desk.stopped_for(|| copied(&folder, &backup)).await;
    let made = desk.cloud.create_volume("later", 1, "replicated").await;
    let made = made.unwrap();
    desk.cloud.volume_becomes(&made, "available").await.unwrap();
    let desk = desk.stopped_for(|| copied(&backup, &folder)).await;
    let name = format!("volume-{made}-cinder is on {PRIMARY} and no record knows it");
    for arguments in [&DRY[..], &DO[..], &DRY[..]] {
        let said = desk.does(arguments).await;
        assert!(said.out.contains(&name), "{}", said.out);
        assert!(said.out.contains(SERVICE), "{}", said.out);
    }
    // After a while of its own it is seen by whoever looks.
    desk.shows("springform_replication_differences{backend=\"pure1\"} 1")
        .await;
    let status = desk.does(&["status", "--backend", PRIMARY]).await;
    assert!(
        status.out.contains("differ from the records"),
        "{}",
        status.out
    );
    desk.ends().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_copy_of_a_drill_goes_with_the_drill_although_its_volume_was_deleted() {
    let desk = Desk::new().await;
    let volumes = async |array: &str| {
        let state = desk.site.control.state().await.unwrap();
        let all = state["arrays"][array]["volumes"].clone();
        let live = |v: &&serde_json::Value| v["destroyed"] != true;
        match &all {
            serde_json::Value::Object(all) => all.values().filter(live).count(),
            serde_json::Value::Array(all) => all.iter().filter(live).count(),
            other => panic!("{other}"),
        }
    };
    let said = desk
        .does(&["drill", "start", "--backend", PRIMARY, "--to", SECOND])
        .await;
    let drill = said
        .out
        .lines()
        .find_map(|line| line.strip_prefix("drill "))
        .unwrap()
        .to_owned();
    assert_eq!(volumes(SECOND).await, 1, "{}", said.out);
    let path = format!("/v3/volumes/{}", desk.volume);
    desk.cloud
        .ask(reqwest::Method::DELETE, &path, None)
        .await
        .unwrap();
    while desk.cloud.volume(&desk.volume).await.is_ok() {
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    let said = desk.does(&["drill", "stop", drill.trim()]).await;
    assert!(!said.out.contains("0 of 0"), "{}", said.out);
    assert_eq!(volumes(SECOND).await, 0, "the copy is still there");
    desk.ends().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_comparison_that_finds_nothing_says_so() {
    let desk = Desk::new().await;
    for arguments in [
        &DRY[..],
        &DO[..],
        &[&DO[..], &["--adopt", "--yes"]].concat(),
    ] {
        let said = desk.does(arguments).await.out;
        let nothing = said.contains("no differences: the arrays are what the records say");
        assert!(nothing, "{arguments:?}: {said}");
    }
    desk.ends().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_reconciled_or_adopted_while_an_operation_is_open() {
    let desk = Desk::new().await;
    // The last copy does not arrive, so the failover stays open.
    desk.time_stands_still(true);
    let over = ["failover", "--backend", PRIMARY, "--to", SECOND];
    let over = [&over[..], &["--planned", "--yes", "--no-wait"]].concat();
    let said = desk.does(&over).await.out;
    let open = said.lines().last().unwrap().trim().to_owned();
    let adopt = [&DO[..], &["--adopt", "--yes"]].concat();
    for arguments in [&DO[..], &DRY[..], &adopt] {
        let said = desk.refused(arguments).await;
        assert!(
            said.contains(&open) && said.contains("wait for it or cancel it"),
            "{arguments:?}: {said}"
        );
    }
    desk.time_stands_still(false);
    let ended = desk.does(&["operation", "watch", &open]).await.out;
    assert!(ended.contains("succeeded"), "{ended}");
    assert_eq!(desk.served_by().await, SECOND);
    desk.does(&DO).await;
    desk.is_true().await;
    desk.ends().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_mark_that_somebody_else_wrote_is_named_and_nothing_is_done_before_it_is_put_right() {
    let desk = Desk::watching().await;
    let name = format!("volume-{}-cinder", desk.volume);
    let tag = async |value: Option<&str>| {
        let path = format!("/arrays/{SECOND}/behind-our-back");
        let body = json!({
            "action": "tag", "volume": name, "namespace": "springform", "key": "promotion", "value": value,
        });
        let control = &desk.site.control;
        control.call(Method::POST, &path, &body).await.unwrap();
    };
    // Once it was promoted there is a volume on the second array that can carry a mark.
    let over = ["failover", "--backend", PRIMARY, "--to", SECOND];
    desk.does(&[&over[..], &["--planned", "--yes"]].concat())
        .await;
    desk.does(&["failback", "--backend", PRIMARY, "--yes"])
        .await;
    tag(Some("mine, hands off")).await;
    let volume = ["status", "--volume", &desk.volume];
    desk.says(
        &volume,
        "sec2 has a mark on it that this host did not write",
    )
    .await;
    for verb in [
        vec![
            "failover",
            "--backend",
            PRIMARY,
            "--to",
            SECOND,
            "--planned",
            "--yes",
        ],
        vec!["resync", "--backend", PRIMARY, "--to", SECOND],
        vec!["disable", "--volume", &desk.volume],
    ] {
        let said = desk.run(&verb).await;
        assert!(
            said.code == 1 && (said.out + &said.err).contains("a mark on it"),
            "{verb:?}"
        );
    }
    let adopt = [&DO[..], &["--adopt", "--yes"]].concat();
    let said = desk.run(&adopt).await;
    let named = said.out + &said.err;
    assert!(said.code == 1 && named.contains(&desk.volume), "{named}");
    assert!(named.contains("a mark on it"), "{named}");
    assert_eq!(desk.served_by().await, PRIMARY);

    tag(None).await;
    // Until the host has looked again it goes by what it saw.
    let over = [&over[..], &["--planned", "--yes"]].concat();
    let deadline = tokio::time::Instant::now() + desk::PATIENCE;
    loop {
        let said = desk.run(&over).await;
        if said.code == 0 {
            break;
        }
        let text = said.out + &said.err;
        let passes = text.contains("a mark on it") && tokio::time::Instant::now() < deadline;
        assert!(passes, "{text}");
        tokio::time::sleep(std::time::Duration::from_millis(500)).await;
    }
    assert_eq!(desk.served_by().await, SECOND);
    desk.is_true().await;
    desk.ends().await;
}

/// The database of a host that is stopped, with what was written last beside it.
fn copied(from: &std::path::Path, to: &std::path::Path) -> std::io::Result<()> {
    for name in ["springform.db", "springform.db-wal", "springform.db-shm"] {
        let _ = std::fs::remove_file(to.join(name));
        if from.join(name).exists() {
            std::fs::copy(from.join(name), to.join(name))?;
        }
    }
    Ok(())
}

/// Somebody who works on the first array itself.
struct Hands {
    client: reqwest::Client,
    base: String,
    token: reqwest::header::HeaderValue,
}

impl Hands {
    async fn of(desk: &Desk) -> Self {
        let client = reqwest::Client::builder().danger_accept_invalid_certs(true);
        let client = client.build().unwrap();
        let base = format!("https://{}/api/2.26", desk.site.sim.address(PRIMARY));
        let login = client.post(format!("{base}/login"));
        let login = login.header("api-token", desk.site.sim.api_token(PRIMARY));
        let login = login.header("content-length", "0");
        let login = login.send().await.unwrap();
        let token = login.headers()["x-auth-token"].clone();
        Self {
            client,
            base,
            token,
        }
    }

    async fn make(&self, path: &str, query: &[(&str, &str)], body: &serde_json::Value) {
        let asked = self.client.post(format!("{}{path}", self.base));
        let asked = asked.header("x-auth-token", self.token.clone());
        let answer = asked.query(query).json(body).send().await.unwrap();
        let status = answer.status();
        assert!(
            status.is_success(),
            "{path}: {status} {}",
            answer.text().await.unwrap()
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_array_full_of_other_volumes_and_old_copies_is_compared_within_a_drivers_memory() {
    let desk = Desk::new().await;
    let hands = Hands::of(&desk).await;
    for hundred in 0..40 {
        let names: Vec<String> = (0..100).map(|n| format!("theirs-{hundred}-{n}")).collect();
        let names = names.join(",");
        let names = [("names", names.as_str())];
        hands
            .make("/volumes", &names, &json!({"provisioned": 1 << 30}))
            .await;
        let members = [("group_names", "theirs"), ("member_names", names[0].1)];
        if hundred == 0 {
            hands
                .make("/protection-groups", &[("names", "theirs")], &json!({}))
                .await;
        }
        hands
            .make("/protection-groups/volumes", &members, &json!({}))
            .await;
    }
    for _ in 0..4 {
        let of = [("source_names", "theirs")];
        hands
            .make("/protection-group-snapshots", &of, &json!({}))
            .await;
    }
    let told = desk.does(&DRY).await;
    assert!(!told.out.contains("would have"), "{}", told.out);
    desk.does(&DO).await;
    desk.ends().await;
}
