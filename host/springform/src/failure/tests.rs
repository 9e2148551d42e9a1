use super::*;
use crate::config::Problem;

#[test]
fn every_problem_of_a_configuration_is_told_with_its_line() {
    let error = anyhow::Error::from(ConfigError {
        path: "s.toml".into(),
        problems: vec![Problem::at(3, "a"), Problem::general("b")],
    });
    assert_eq!(
        to_json(&error),
        json!({"code": "configuration", "message": "s.toml:3: a\ns.toml: b", "file": "s.toml",
                "problems": [{"line": 3, "message": "a"}, {"line": null, "message": "b"}]})
    );
}

#[test]
fn the_format_is_known_of_a_command_line_that_is_not() {
    let wants = |line: &str| wants_json(line.split(' ').map(OsString::from));
    assert!(wants("springform --format json plam"));
    assert!(wants("springform plan --bakend pure1 --format=json"));
    assert!(!wants("springform plan --format table --bakend json"));
}
