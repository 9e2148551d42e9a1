use super::*;

#[test]
fn a_conflict_names_the_operation_in_the_way() {
    let value = json!({"error": {"code": 409, "message": "backend pure1 is being failed over", "operation": "op-1", "retryable": true}});
    let refused = Refused::new(StatusCode::CONFLICT, &value);
    assert_eq!(
        refused.to_string(),
        "backend pure1 is being failed over\n  in the way: operation op-1; see `springform operation show op-1`\n  trying again later may help"
    );
    assert_eq!(
        refused.to_json(),
        json!({"code": "conflict", "status": 409, "message": "backend pure1 is being failed over",
                "advice": "springform operation show op-1", "operation": "op-1", "retryable": true})
    );
}

#[test]
fn a_refusal_in_cinders_shape_is_understood_too() {
    let value = json!({"badRequest": {"code": 400, "message": "Invalid input received"}});
    let refused = Refused::new(StatusCode::BAD_REQUEST, &value);
    assert_eq!(refused.to_string(), "Invalid input received");
    assert_eq!(refused.to_json()["code"], "bad-request");
}

#[test]
fn a_refusal_without_a_reason_says_what_its_status_means() {
    let said = |status| Refused::new(status, &Value::Null).to_string();
    assert_eq!(
        said(StatusCode::UNAUTHORIZED),
        "the host wants a token: set SPRINGFORM_TOKEN"
    );
    assert_eq!(said(StatusCode::NOT_FOUND), "the host does not know this");
    assert_eq!(
        said(StatusCode::BAD_GATEWAY),
        "the host answered 502 Bad Gateway"
    );
}
