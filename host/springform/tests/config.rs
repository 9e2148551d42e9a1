//! What an operator is told about a configuration that is not right.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

use std::fmt::Write as _;
use std::path::Path;

use springform::config::{AuthMode, Config, Problem, Trust};
use springform_model::contract::{
    CredentialScheme, Description, OptionSchema, OptionType, ReplicationKind,
};

const GOOD: &str = r#"
[service]
allow_inline_secrets = true

[driver.pure-async]
path = "pure_async.wasm"

[[backend]]
volume_backend_name = "pure1"
driver = "pure-async"
san_ip = "127.0.0.1:18443"
pure_api_token = "t1"
ca_file = "ca.pem"

[[backend.replication_device]]
backend_id = "sec2"
san_ip = "127.0.0.1:18444"
api_token = "t2"
"#;

fn parse(text: &str) -> Result<Config, String> {
    Config::parse(Path::new("springform.toml"), text).map_err(|error| error.to_string())
}

fn option(name: &str, kind: OptionType, default: Option<&str>, secret: bool) -> OptionSchema {
    OptionSchema {
        name: name.to_owned(),
        kind,
        default: default.map(str::to_owned),
        required: secret,
        secret,
        doc: format!("What {name} is."),
    }
}

fn description() -> Description {
    Description {
        name: "pure-async".to_owned(),
        vendor: "Example".to_owned(),
        version: "1.2.3".to_owned(),
        summary: String::new(),
        replication: vec![ReplicationKind::Async],
        protocols: vec!["iSCSI".to_owned()],
        options: vec![
            option("pure_api_token", OptionType::Text, None, true),
            option(
                "pure_replica_interval_default",
                OptionType::Seconds,
                Some("3600"),
                false,
            ),
            option(
                "pure_eradicate_on_delete",
                OptionType::Boolean,
                Some("false"),
                false,
            ),
            option("pure_iscsi_cidr_list", OptionType::TextList, None, false),
            option(
                "pure_nvme_transport",
                OptionType::Choice(vec!["roce".to_owned(), "tcp".to_owned()]),
                Some("roce"),
                false,
            ),
        ],
        target_options: vec![
            option("api_token", OptionType::Text, None, true),
            option("uniform", OptionType::Boolean, Some("false"), false),
        ],
        credentials: CredentialScheme::None,
        secret_option: Some("pure_api_token".to_owned()),
        target_secret_option: Some("api_token".to_owned()),
        features: Vec::new(),
        extensions: Vec::new(),
    }
}

fn problems(config: &Config) -> String {
    let problems: Vec<Problem> = config.backends[0].resolve(&description()).unwrap_err();
    problems.iter().fold(String::new(), |mut text, problem| {
        writeln!(
            text,
            "{}: {}",
            problem.line.unwrap_or_default(),
            problem.text
        )
        .unwrap();
        text
    })
}

#[test]
fn a_minimal_file_gets_defaults_and_paths_beside_it() {
    let config = Config::parse(Path::new("/etc/springform/springform.toml"), GOOD).unwrap();
    assert_eq!(config.service.listen.to_string(), "127.0.0.1:8776");
    assert_eq!(config.auth.mode, AuthMode::NoAuth);
    assert_eq!(
        config.service.database,
        Path::new("/etc/springform/springform.db")
    );
    let backend = &config.backends[0];
    assert_eq!(backend.host, "springform@pure1");
    assert_eq!(
        backend.primary.trust,
        Trust::CaFile("/etc/springform/ca.pem".into())
    );
    assert_eq!(backend.replicas[0].kind, Some(ReplicationKind::Async));
}

#[test]
fn a_file_that_is_not_there_is_named_with_what_to_do() {
    let error = Config::load(Path::new("/nonexistent/springform.toml")).unwrap_err();
    insta::assert_snapshot!("no_file", error.to_string());
}

#[test]
fn a_file_that_is_not_toml_is_refused_with_the_line() {
    insta::assert_snapshot!("not_toml", parse("[service]\nlisten = \n").unwrap_err());
}

#[test]
fn every_unknown_key_is_named_at_once_with_a_suggestion() {
    let text = r#"
[service]
lisen = "127.0.0.1:8776"

[driver.pure-async]
path = "pure_async.wasm"
[driver.pure-async.limits]
memory_mb = 64

[[backends]]
volume_backend_name = "pure1"
"#;
    insta::assert_snapshot!("unknown_keys", parse(text).unwrap_err());
}

/// Words in backticks.
fn quoted(text: &str) -> Vec<&str> {
    text.split('`').skip(1).step_by(2).collect()
}

#[test]
fn every_limit_of_a_call_that_the_pages_name_is_a_key_of_the_file() {
    let page = |name: &str| {
        let docs = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs");
        std::fs::read_to_string(docs.join(name)).unwrap()
    };
    let security = page("security.md");
    let (_, table) = security
        .split_once("key in `[driver.<name>.limits]`")
        .unwrap();
    let (table, _) = table.split_once("\n\n").unwrap();
    let operators = page("operators.md");
    let (_, list) = operators
        .split_once("changes the limits of one call:")
        .unwrap();
    let (list, _) = list.split_once('.').unwrap();
    let keys = [quoted(table), quoted(list)].concat();
    assert!(keys.len() > 20, "{keys:?}");
    for key in &keys {
        let text = format!("{GOOD}\n[driver.pure-async.limits]\n{key} = 1\n");
        let understood = parse(&text);
        assert!(understood.is_ok(), "{:?}", understood.err());
    }
    // What the host says where a call breaks one, in `host/sandbox/tests/hostile.rs`.
    for key in [
        "memory_mib",
        "requests_per_call",
        "open_requests",
        "log_kib",
        "result_mib",
        "handles",
        "table_elements",
        "state_kib",
    ] {
        assert!(keys.contains(&key), "{key}");
    }
}

#[test]
fn a_nova_that_cannot_be_asked_is_refused() {
    let with = |nova: &str, auth: &str| parse(&format!("{GOOD}\n{auth}\n[nova]\n{nova}\n"));
    let url = "url = \"https://nova:8774/v2.1\"";
    let nova = with(url, "").unwrap().nova.unwrap();
    assert_eq!(nova.url, "https://nova:8774/v2.1");
    assert!(parse(GOOD).unwrap().nova.is_none());
    let tokens = "[auth]\nmode = \"tokens\"\ntokens_file = \"t.toml\"";
    for (nova, auth, why) in [
        ("url = \"nova\"", "", "must be the URL of the compute API"),
        (
            "url = \"https://u:p@nova/\"",
            "",
            "must be the URL of the compute API",
        ),
        ("ca_file = \"ca.pem\"", "", "needs the key `url`"),
        ("uri = \"https://nova\"", "", "did you mean `url`?"),
        (url, tokens, "Nova cannot know one of `tokens_file`"),
    ] {
        let refused = with(nova, auth).unwrap_err();
        assert!(
            refused.contains("[nova]") && refused.contains(why),
            "{refused}"
        );
    }
}

#[test]
fn values_of_the_wrong_type_or_range_are_named() {
    let text = r#"
[service]
listen = "somewhere"
shutdown_grace_seconds = -1
log = "jason"
allow_inline_secrets = "yes"
[limits]
concurrent_requests = 0
"#;
    insta::assert_snapshot!("wrong_values", parse(text).unwrap_err());
}

#[test]
fn a_backend_that_does_not_add_up_is_refused_key_by_key() {
    let text = r#"
[driver.pure-async]
path = "pure_async.wasm"

[[backend]]
volume_backend_name = "pure1"
driver = "pure-asink"
volume_driver = "cinder.volume.drivers.pure.PureISCSIDriver"
driver_ssl_cert_verify = false

[[backend]]
volume_backend_name = "pure1"
driver = "pure-async"
san_ip = "a"
fingerprint = "abc"

[[backend.replication_device]]
backend_id = "default"
san_ip = "b"
type = "trisync"

[[backend.replication_device]]
backend_id = "pure1"
san_ip = "c"
"#;
    insta::assert_snapshot!("bad_backend", parse(text).unwrap_err());
}

#[test]
fn a_replication_device_in_cinders_notation_is_refused_with_the_notation_to_use() {
    let text = GOOD.replace(
        "[[backend.replication_device]]\nbackend_id = \"sec2\"\nsan_ip = \"127.0.0.1:18444\"\napi_token = \"t2\"",
        "replication_device = \"backend_id:sec2,san_ip:127.0.0.1:18444,api_token:t2,type:async\"",
    );
    insta::assert_snapshot!("cinder_replication_device", parse(&text).unwrap_err());
}

#[test]
fn a_secret_whose_variable_is_not_set_is_refused_before_anything_starts() {
    let text = GOOD.replace(
        "pure_api_token = \"t1\"",
        "pure_api_token_env = \"SPRINGFORM_TEST_NOT_SET\"",
    );
    insta::assert_snapshot!("secret_not_set", parse(&text).unwrap_err());
}

#[test]
fn a_secret_file_that_everybody_can_read_is_refused() {
    use std::os::unix::fs::PermissionsExt;
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("token");
    std::fs::write(&file, "t1\n").unwrap();
    let text = GOOD.replace("pure_api_token = \"t1\"", "pure_api_token_file = \"token\"");
    let path = folder.path().join("springform.toml");

    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o644)).unwrap();
    let error = Config::parse(&path, &text).unwrap_err().to_string();
    assert!(
        error.contains("every user of this machine can read"),
        "{error}"
    );

    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o600)).unwrap();
    let config = Config::parse(&path, &text).unwrap();
    let resolved = config.backends[0].resolve(&description()).unwrap();
    assert_eq!(resolved.targets[0].secret.as_ref().unwrap().reveal(), "t1");
}

#[test]
fn a_secret_in_the_file_needs_to_be_allowed() {
    let config = parse(&GOOD.replace("allow_inline_secrets = true", "")).unwrap();
    insta::assert_snapshot!("inline_secret", problems(&config));
}

#[test]
fn a_missing_secret_is_named_with_both_ways_to_give_it() {
    let config = parse(&GOOD.replace("pure_api_token = \"t1\"", "")).unwrap();
    insta::assert_snapshot!("missing_secret", problems(&config));
}

#[test]
fn options_are_checked_against_what_the_driver_says_of_itself() {
    let text = GOOD
        .replace(
            "ca_file = \"ca.pem\"",
            "pure_replica_interval_defualt = 900\npure_eradicate_on_delete = 7\npure_nvme_transport = \"tpc\"",
        )
        .replace("api_token = \"t2\"", "api_token = \"t2\"\nuniforn = true");
    insta::assert_snapshot!("driver_options", problems(&parse(&text).unwrap()));
}

#[test]
fn defaults_of_the_driver_are_filled_in_and_secrets_stay_out_of_the_options() {
    let text = GOOD.replace(
        "ca_file = \"ca.pem\"",
        "pure_iscsi_cidr_list = [\"10.0.0.0/8\", \"192.168.0.0/16\"]\npure_eradicate_on_delete = true",
    );
    let resolved = parse(&text).unwrap().backends[0]
        .resolve(&description())
        .unwrap();
    let mut options = resolved.options.clone();
    options.sort();
    let expected = [
        ("pure_eradicate_on_delete", "true"),
        ("pure_iscsi_cidr_list", "10.0.0.0/8,192.168.0.0/16"),
        ("pure_nvme_transport", "roce"),
        ("pure_replica_interval_default", "3600"),
    ];
    let expected: Vec<(String, String)> = expected
        .iter()
        .map(|(k, v)| ((*k).to_owned(), (*v).to_owned()))
        .collect();
    assert_eq!(options, expected);
    assert_eq!(
        resolved.targets[1].options,
        vec![("uniform".to_owned(), "false".to_owned())]
    );
    assert!(
        !format!("{resolved:?}").contains("t2"),
        "a secret shows in a debug line"
    );
}

#[test]
fn an_api_without_authentication_stays_on_the_loopback_address() {
    let text = GOOD.replace("[service]", "[service]\nlisten = \"0.0.0.0:8776\"");
    insta::assert_snapshot!("noauth_in_the_open", parse(&text).unwrap_err());
}

#[test]
fn tokens_want_tls_on_any_other_address_unless_a_proxy_has_it() {
    let folder = tempfile::tempdir().unwrap();
    let with = |service: &str, auth: &str| {
        let text = GOOD.replace("[service]", &format!("[service]\n{service}"));
        Config::parse(
            &folder.path().join("springform.toml"),
            &format!("{text}\n[auth]\n{auth}\n"),
        )
        .map(drop)
        .map_err(|error| error.to_string())
    };
    let tokens = "mode = \"tokens\"\ntokens_file = \"tokens.toml\"";
    let keystone = "mode = \"keystone\"\nkeystone_url = \"https://k/v3\"\nkeystone_user = \"s\"\nkeystone_password_env = \"HOME\"";
    for auth in [tokens, keystone] {
        for open in ["0.0.0.0:8776", "[::]:8776", "192.0.2.7:8776"] {
            let listen = format!("listen = \"{open}\"");
            let error = with(&listen, auth).unwrap_err();
            assert!(
                error.contains("tls_certificate_file") && error.contains("behind_tls_proxy"),
                "{error}"
            );
            let proxied = format!("{listen}\nbehind_tls_proxy = true");
            assert_eq!(with(&proxied, auth), Ok(()));
            let own =
                format!("{listen}\ntls_certificate_file = \"a.pem\"\ntls_key_file = \"a.key\"");
            assert_eq!(with(&own, auth), Ok(()));
        }
        assert_eq!(with("listen = \"[::1]:8776\"", auth), Ok(()));
    }
    let half = with("tls_key_file = \"a.key\"", tokens).unwrap_err();
    assert!(
        half.contains("needs the key `tls_certificate_file`"),
        "{half}"
    );
}

#[test]
fn grants_are_read_for_the_driver_and_for_single_targets_and_wrong_rules_are_named_with_their_line()
{
    let grant = "path = \"pure_async.wasm\"\n[driver.pure-async.grant]\nproposal = false\nallow = [\"GET /api/2.*/volumes\"]\n[driver.pure-async.grant.target.sec2]\ndeny = [\"DELETE /**\"]\n";
    let config = parse(&GOOD.replace("path = \"pure_async.wasm\"\n", grant)).unwrap();
    let read = &config.drivers["pure-async"].grant;
    assert!(read.refuse_proposal);
    assert_eq!(read.requests.allow[0].to_string(), "GET /api/2.*/volumes");
    assert_eq!(read.by_target["sec2"].deny[0].to_string(), "DELETE /**");

    let wrong = grant
        .replace("GET /api", "TRACE /api")
        .replace("deny", "denies");
    let said = parse(&GOOD.replace("path = \"pure_async.wasm\"\n", &wrong)).unwrap_err();
    assert!(
        said.contains("springform.toml:9") && said.contains("the methods are GET"),
        "{said}"
    );
    assert!(said.contains("unknown key `denies`"), "{said}");
}
