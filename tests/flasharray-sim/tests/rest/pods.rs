use reqwest::Method;
use serde_json::{Value, json};

use crate::rig::{Array, GIB, Rig, names};

/// A pod `p` on both arrays with a volume that a host sees on both.
async fn stretched(rig: &Rig) -> (Array, Array) {
    let (a, b) = (rig.array("a").await, rig.array("b").await);
    a.post("pods?names=p", json!({})).await;
    a.volume("p::v").await;
    a.post("pods/arrays?group_names=p&member_names=b", Value::Null)
        .await;
    rig.host(&a, "p%3A%3Av").await;
    rig.host(&b, "p%3A%3Av").await;
    (a, b)
}

async fn statuses(array: &Array) -> Vec<(String, String)> {
    let pod = &array.get("pods?names=p").await[0];
    let side = |side: &Value| {
        let word = |field: &str| side[field].as_str().unwrap().to_owned();
        (word("name"), word("status"))
    };
    pod["arrays"].as_array().unwrap().iter().map(side).collect()
}

fn sides(list: &[(&str, &str)]) -> Vec<(String, String)> {
    list.iter()
        .map(|(a, s)| ((*a).to_owned(), (*s).to_owned()))
        .collect()
}

#[tokio::test]
async fn a_stretched_pod_is_one_object_on_both_arrays() {
    let rig = Rig::pair();
    let (a, b) = stretched(&rig).await;
    let (va, vb) = (
        &a.get("volumes?names=p::v").await[0],
        &b.get("volumes?names=p::v").await[0],
    );
    assert_eq!((&va["id"], &va["serial"]), (&vb["id"], &vb["serial"]));
    assert_eq!(
        statuses(&b).await,
        sides(&[("a", "online"), ("b", "online")])
    );
    assert_eq!(rig.write("a", "p::v", 0, b"both").await, 204);
    assert_eq!(rig.read("b", "p::v", 4).await.unwrap(), b"both");
    b.patch("volumes?names=p::v", json!({"name": "w"})).await;
    assert_eq!(names(&a.get("volumes").await), ["p::w"]);
    b.post("volume-snapshots?source_names=p::w", json!({"suffix": "s"}))
        .await;
    assert_eq!(names(&a.get("volume-snapshots").await), ["p::w.s"]);
    let refused = a
        .refused(
            Method::POST,
            "pods/arrays?group_names=p&member_names=b",
            Value::Null,
        )
        .await;
    assert!(refused[0].contains("already exists"));
    assert!(
        a.refused(Method::PATCH, "pods?names=p", json!({"destroyed": true}))
            .await[0]
            .contains("stretched")
    );
}

#[tokio::test]
async fn when_an_array_goes_dark_the_other_goes_on_and_the_first_comes_back_stale_then_in_sync() {
    let rig = Rig::pair();
    let (a, b) = stretched(&rig).await;
    rig.write("a", "p::v", 0, b"one").await;
    rig.control.power("a", false).await.unwrap();
    assert_eq!(
        statuses(&b).await,
        sides(&[("a", "offline"), ("b", "online")])
    );
    assert_eq!(rig.write("b", "p::v", 0, b"two").await, 204);
    b.volume("p::new").await;
    // Back, but out of touch: it has what it had, and serves nobody.
    rig.control.link("a", "b", false).await.unwrap();
    rig.control.power("a", true).await.unwrap();
    let a = Array {
        session: rig.array("a").await.session,
        ..a
    };
    assert_eq!(
        statuses(&a).await,
        sides(&[("a", "offline"), ("b", "unknown")])
    );
    assert_eq!(names(&a.get("volumes").await), ["p::v"]);
    assert_eq!(rig.read("a", "p::v", 3).await, Err(503));
    assert!(
        a.refused(
            Method::POST,
            "volumes?names=p::x",
            json!({"provisioned": GIB})
        )
        .await[0]
            .contains("not online")
    );
    rig.control.link("a", "b", true).await.unwrap();
    assert_eq!(
        statuses(&a).await,
        sides(&[("a", "resyncing"), ("b", "online")])
    );
    assert_eq!(rig.read("a", "p::v", 3).await, Err(503));
    rig.control.advance(3.0).await.unwrap();
    assert_eq!(
        statuses(&a).await,
        sides(&[("a", "online"), ("b", "online")])
    );
    assert_eq!(rig.read("a", "p::v", 3).await.unwrap(), b"two");
    assert_eq!(names(&a.get("volumes").await), ["p::new", "p::v"]);
    assert_eq!(a.get("connections").await.len(), 1);
}

#[tokio::test]
async fn the_mediator_and_the_preference_decide_who_goes_on_when_the_link_is_cut() {
    let rig = Rig::pair();
    let (a, b) = stretched(&rig).await;
    rig.control.link("a", "b", false).await.unwrap();
    assert_eq!(
        statuses(&a).await,
        sides(&[("a", "online"), ("b", "offline")])
    );
    assert_eq!(
        statuses(&b).await,
        sides(&[("a", "unknown"), ("b", "offline")])
    );
    assert_eq!(rig.write("b", "p::v", 0, b"x").await, 503);
    rig.control.link("a", "b", true).await.unwrap();
    rig.control.advance(3.0).await.unwrap();
    a.patch(
        "pods?names=p",
        json!({"failover_preferences": [{"name": "b"}]}),
    )
    .await;
    rig.control.link("a", "b", false).await.unwrap();
    assert_eq!(rig.write("b", "p::v", 0, b"x").await, 204);
    assert_eq!(rig.write("a", "p::v", 0, b"x").await, 503);
}

#[tokio::test]
async fn a_side_that_is_forced_online_is_written_apart_and_gives_up_what_it_took_when_the_arrays_meet()
 {
    let rig = Rig::pair();
    let (a, b) = stretched(&rig).await;
    let force = async |array: &str| {
        let path = format!("/arrays/{array}/behind-our-back");
        let body = json!({"action": "force_online", "pod": "p"});
        rig.control.call(Method::POST, &path, &body).await
    };
    assert!(force("b").await.is_err(), "nothing is split");
    rig.control.link("a", "b", false).await.unwrap();
    force("b").await.unwrap();
    assert!(force("a").await.is_err(), "it serves already");
    assert_eq!(rig.write("a", "p::v", 0, b"one").await, 204);
    assert_eq!(rig.write("b", "p::v", 0, b"two").await, 204);
    assert_eq!(rig.read("a", "p::v", 3).await.unwrap(), b"one");
    assert_eq!(rig.read("b", "p::v", 3).await.unwrap(), b"two");
    assert_eq!(
        statuses(&a).await,
        sides(&[("a", "online"), ("b", "offline")])
    );
    assert_eq!(
        statuses(&b).await,
        sides(&[("a", "unknown"), ("b", "online")])
    );
    rig.control.link("a", "b", true).await.unwrap();
    rig.control.advance(3.0).await.unwrap();
    assert_eq!(rig.read("b", "p::v", 3).await.unwrap(), b"one");
}

#[tokio::test]
async fn without_a_mediator_the_pre_elected_array_goes_on_or_nobody() {
    let rig = Rig::pair();
    let (a, b) = stretched(&rig).await;
    rig.control.mediator(false).await.unwrap();
    let pod = &b.get("pods?names=p").await[0];
    assert_eq!(pod["arrays"][0]["pre_elected"], true);
    assert_eq!(pod["arrays"][1]["mediator_status"], "unreachable");
    rig.control.power("a", false).await.unwrap();
    assert_eq!(rig.write("b", "p::v", 0, b"x").await, 503);
    rig.control.power("a", true).await.unwrap();
    assert_eq!(rig.write("b", "p::v", 0, b"x").await, 204);
    drop(a);
    // Lost at the very moment of the cut: nobody was elected.
    rig.control.mediator(true).await.unwrap();
    let body = json!({"reachable": false, "pre_elect": false});
    rig.control
        .call(Method::POST, "/mediator", &body)
        .await
        .unwrap();
    rig.control.link("a", "b", false).await.unwrap();
    assert_eq!(rig.write("a", "p::v", 0, b"x").await, 503);
    assert_eq!(rig.write("b", "p::v", 0, b"x").await, 503);
    rig.control.link("a", "b", true).await.unwrap();
    assert_eq!(rig.write("a", "p::v", 0, b"x").await, 204);
}

#[tokio::test]
async fn a_side_that_was_not_in_sync_never_takes_over() {
    let rig = Rig::pair();
    let (_a, b) = stretched(&rig).await;
    rig.control.link("a", "b", false).await.unwrap();
    rig.write("a", "p::v", 0, b"newer").await;
    rig.control.link("a", "b", true).await.unwrap();
    // Resyncing has only begun when the good side dies.
    rig.control.power("a", false).await.unwrap();
    assert_eq!(
        statuses(&b).await,
        sides(&[("a", "unknown"), ("b", "offline")])
    );
    assert_eq!(rig.read("b", "p::v", 5).await, Err(503));
    rig.control.power("a", true).await.unwrap();
    rig.control.advance(3.0).await.unwrap();
    assert_eq!(rig.read("b", "p::v", 5).await.unwrap(), b"newer");
}

#[tokio::test]
async fn a_pod_can_be_kept_from_finishing_to_resync() {
    let rig = Rig::pair();
    let (a, _b) = stretched(&rig).await;
    let stuck = async |body: Value| {
        rig.control
            .call(Method::POST, "/pods/p/stuck", &body)
            .await
            .unwrap()
    };
    stuck(json!({"stuck": true, "array": "b"})).await;
    rig.control.advance(600.0).await.unwrap();
    assert_eq!(
        statuses(&a).await,
        sides(&[("a", "online"), ("b", "resyncing")])
    );
    stuck(json!({"stuck": false})).await;
    assert_eq!(
        statuses(&a).await,
        sides(&[("a", "online"), ("b", "online")])
    );
}

#[tokio::test]
async fn volumes_enter_and_leave_a_stretched_pod_only_through_another_one() {
    let rig = Rig::pair();
    let (a, b) = stretched(&rig).await;
    a.volume("v").await;
    let pod = |name: &str| json!({"pod": {"name": name}});
    assert!(a.refused(Method::PATCH, "volumes?names=v", pod("p")).await[0].contains("stretched"));
    a.post("pods?names=ghost", json!({})).await;
    a.patch("volumes?names=v", pod("ghost")).await;
    a.post("pods/arrays?group_names=ghost&member_names=b", Value::Null)
        .await;
    assert!(
        a.refused(Method::PATCH, "volumes?names=ghost::v", pod("p"))
            .await[0]
            .contains("already exists")
    );
    a.patch("volumes?names=ghost::v", json!({"name": "u"}))
        .await;
    a.patch("volumes?names=ghost::u", pod("p")).await;
    assert_eq!(names(&b.get("volumes").await), ["p::u", "p::v"]);
    a.delete("pods/arrays?group_names=ghost&member_names=b")
        .await;
    a.patch("pods?names=ghost", json!({"destroyed": true}))
        .await;
    a.delete("pods?names=ghost").await;
    assert_eq!(names(&a.get("pods").await), ["p"]);
    assert_eq!(names(&b.get("pods").await), ["p"]);
}

#[tokio::test]
async fn a_pod_with_contents_goes_only_if_told_to_take_them_along() {
    let rig = Rig::single();
    let a = rig.array("a").await;
    a.post("pods?names=p", json!({})).await;
    a.volume("p::v").await;
    a.post("protection-groups?names=p::g", Value::Null).await;
    assert!(
        a.refused(Method::PATCH, "pods?names=p", json!({"destroyed": true}))
            .await[0]
            .contains("not empty")
    );
    a.patch(
        "pods?names=p&destroy_contents=true",
        json!({"destroyed": true}),
    )
    .await;
    assert!(a.refused(Method::POST, "pods?names=p", json!({})).await[0].contains("already exists"));
    assert!(a.refused(Method::DELETE, "pods?names=p", Value::Null).await[0].contains("not empty"));
    a.delete("pods?names=p&eradicate_contents=true").await;
    assert!(a.get("volumes").await.is_empty() && a.get("protection-groups").await.is_empty());
}

#[tokio::test]
async fn a_pod_can_be_copied() {
    let rig = Rig::single();
    let a = rig.array("a").await;
    a.post("pods?names=p", json!({})).await;
    a.volume("p::v").await;
    rig.host(&a, "p%3A%3Av").await;
    rig.write("a", "p::v", 0, b"copied").await;
    a.post("pods?names=q", json!({"source": {"name": "p"}}))
        .await;
    a.post("connections?host_names=h&volume_names=q::v", Value::Null)
        .await;
    assert_eq!(rig.read("a", "q::v", 6).await.unwrap(), b"copied");
}

#[tokio::test]
async fn default_protection_lists_are_empty_unless_set() {
    let rig = Rig::single();
    let a = rig.array("a").await;
    a.post("pods?names=p", json!({})).await;
    assert_eq!(
        a.get("container-default-protections?names=p").await[0]["default_protections"],
        json!([])
    );
    a.post("protection-groups?names=p::g", Value::Null).await;
    a.patch(
        "container-default-protections?names=p",
        json!({"default_protections": [{"name": "p::g"}]}),
    )
    .await;
    a.volume("p::v").await;
    a.post(
        "volumes?names=p::w&with_default_protection=false",
        json!({"provisioned": GIB}),
    )
    .await;
    let members = a.get("protection-groups/volumes?group_names=p::g").await;
    assert_eq!(members.len(), 1);
    assert_eq!(members[0]["member"]["name"], "p::v");
}

#[tokio::test]
async fn a_dark_side_can_be_given_up_and_forgets_the_pod_when_it_comes_back() {
    let rig = Rig::pair();
    let (_a, b) = stretched(&rig).await;
    rig.control.power("a", false).await.unwrap();
    let refused = b
        .refused(
            Method::DELETE,
            "pods/arrays?group_names=p&member_names=a",
            Value::Null,
        )
        .await;
    assert!(refused[0].contains("cannot be reached"));
    b.delete("pods/arrays?group_names=p&member_names=a&with_unknown=true")
        .await;
    assert_eq!(statuses(&b).await, sides(&[("b", "online")]));
    rig.control.power("a", true).await.unwrap();
    let a = rig.array("a").await;
    assert!(a.get("pods").await.is_empty());
    assert!(a.get("volumes").await.is_empty() && a.get("connections").await.is_empty());
    assert_eq!(names(&b.get("volumes").await), ["p::v"]);
    // The name is free again.
    b.post("pods/arrays?group_names=p&member_names=a", Value::Null)
        .await;
    assert_eq!(names(&a.get("volumes").await), ["p::v"]);
}

#[tokio::test]
async fn what_the_survivor_deleted_and_renamed_is_gone_and_renamed_after_the_resync() {
    let rig = Rig::pair();
    let (a, b) = stretched(&rig).await;
    a.volume("p::w").await;
    a.post("volume-snapshots?source_names=p::v", json!({"suffix": "s"}))
        .await;
    a.post("connections?host_names=h&volume_names=p::w", Value::Null)
        .await;
    rig.control.link("a", "b", false).await.unwrap();
    a.patch("volumes?names=p::v", json!({"name": "u"})).await;
    a.delete("connections?host_names=h&volume_names=p::w").await;
    a.patch("volumes?names=p::w", json!({"destroyed": true}))
        .await;
    a.delete("volumes?names=p::w").await;
    assert_eq!(names(&b.get("volumes").await), ["p::v", "p::w"]);
    rig.control.link("a", "b", true).await.unwrap();
    rig.control.advance(3.0).await.unwrap();
    assert_eq!(names(&b.get("volumes").await), ["p::u"]);
    assert_eq!(names(&b.get("volume-snapshots").await), ["p::u.s"]);
    // The host on b still sees the volume, under its new name.
    let seen = b.get("connections?host_names=h").await;
    assert_eq!(
        (seen.len(), seen[0]["volume"]["name"].as_str()),
        (1, Some("p::u"))
    );
}
