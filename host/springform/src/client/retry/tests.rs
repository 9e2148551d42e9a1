use super::*;

#[test]
fn it_goes_where_the_operation_went_and_in_its_way() {
    let ended = json!({
        "input": {"order": {"to": null, "mode": "unplanned", "point": "pure1:cinder-group.7"}},
        "result": {"target": "sec2"},
    });
    let target = failover_target(&ended);
    assert_eq!(target.to.as_deref(), Some("sec2"));
    assert_eq!(target.mode(), Some("unplanned"));
    assert_eq!(target.point.as_deref(), Some("pure1:cinder-group.7"));
    let home =
        json!({"input": {"order": {"to": "pure1", "mode": "planned"}}, "result": {"target": null}});
    let target = failover_target(&home);
    assert_eq!(
        (target.to.as_deref(), target.mode()),
        (Some("pure1"), Some("planned"))
    );
}
