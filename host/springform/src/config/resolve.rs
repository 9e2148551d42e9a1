//! A backend's options held against its driver's description: unknown ones refused, types checked, defaults filled in,
//! secrets set apart.

use std::collections::BTreeSet;

use springform_model::contract::{Description, OptionSchema, OptionType, ReplicationKind};

use super::backend::{BackendConfig, RawOption, RawValue, TargetConfig, Trust};
use super::problem::{Problem, suggestion};
use super::secret::Secret;

/// A backend whose options its driver understands.
#[derive(Debug, Clone)]
pub struct Resolved {
    /// Options for the driver, defaults filled in, without secrets.
    pub options: Vec<(String, String)>,
    /// Arrays, the primary first.
    pub targets: Vec<ResolvedTarget>,
}

/// One array of it.
#[derive(Debug, Clone)]
pub struct ResolvedTarget {
    /// Name.
    pub name: String,
    /// Whether it is the primary.
    pub primary: bool,
    /// What replicates to it.
    pub kind: Option<ReplicationKind>,
    /// Host, or host and port.
    pub address: String,
    /// How its certificate is checked.
    pub trust: Trust,
    /// Options for the driver, without secrets.
    pub options: Vec<(String, String)>,
    /// The credential.
    pub secret: Option<Secret>,
}

/// Options after the check, secrets apart.
struct Checked {
    plain: Vec<(String, String)>,
    secrets: Vec<(String, Secret)>,
}

struct Check<'a> {
    place: String,
    line: usize,
    driver: &'a Description,
    schemas: &'a [OptionSchema],
    inline_secrets: bool,
    problems: &'a mut Vec<Problem>,
}

impl BackendConfig {
    /// Checks the options against what the driver says it knows.
    ///
    /// # Errors
    /// Everything that does not fit, with lines.
    pub fn resolve(&self, driver: &Description) -> Result<Resolved, Vec<Problem>> {
        let mut problems = Vec::new();
        let mut check = Check {
            place: format!("[[backend]] \"{}\"", self.name),
            line: self.line,
            driver,
            schemas: &driver.options,
            inline_secrets: self.allow_inline_secrets,
            problems: &mut problems,
        };
        let backend = check.run(&self.options);
        let mut targets = vec![self.primary.resolved(
            true,
            Vec::new(),
            pick(&backend, driver.secret_option.as_deref()),
        )];
        for replica in &self.replicas {
            let mut check = Check {
                place: format!(
                    "[[backend]] \"{}\" replication device \"{}\"",
                    self.name, replica.name
                ),
                line: replica.line,
                driver,
                schemas: &driver.target_options,
                inline_secrets: self.allow_inline_secrets,
                problems: &mut problems,
            };
            let checked = check.run(&replica.options);
            let secret = pick(&checked, driver.target_secret_option.as_deref());
            targets.push(replica.resolved(false, checked.plain, secret));
        }
        if problems.is_empty() {
            Ok(Resolved {
                options: backend.plain,
                targets,
            })
        } else {
            problems.sort_by_key(|problem| problem.line);
            Err(problems)
        }
    }
}

fn pick(checked: &Checked, option: Option<&str>) -> Option<Secret> {
    let (_, secret) = checked
        .secrets
        .iter()
        .find(|(name, _)| Some(name.as_str()) == option)?;
    Some(secret.clone())
}

impl TargetConfig {
    fn resolved(
        &self,
        primary: bool,
        options: Vec<(String, String)>,
        secret: Option<Secret>,
    ) -> ResolvedTarget {
        ResolvedTarget {
            name: self.name.clone(),
            primary,
            kind: self.kind.clone(),
            address: self.address.clone(),
            trust: self.trust.clone(),
            options,
            secret,
        }
    }
}

impl Check<'_> {
    fn report(&mut self, line: usize, text: impl std::fmt::Display) {
        self.problems
            .push(Problem::at(line, format!("{} {text}", self.place)));
    }

    fn run(&mut self, given: &[RawOption]) -> Checked {
        let mut checked = Checked {
            plain: Vec::new(),
            secrets: Vec::new(),
        };
        let mut seen = BTreeSet::new();
        for option in given {
            let Some(schema) = self.schemas.iter().find(|schema| schema.name == option.key) else {
                self.unknown(option);
                continue;
            };
            if !seen.insert(option.key.as_str()) {
                self.report(
                    option.line,
                    format!("sets `{}` in two ways; keep one", option.key),
                );
                continue;
            }
            match (&option.value, schema.secret) {
                (RawValue::Secret(secret), true) => checked.secrets.push((option.key.clone(), secret.clone())),
                (RawValue::Plain(value), true) if self.inline_secrets => {
                    checked.secrets.push((option.key.clone(), Secret::new(value)));
                }
                (RawValue::Plain(_), true) => self.report(
                    option.line,
                    format!(
                        "has the secret `{key}` in the file; name a variable with `{key}_env` or a file with `{key}_file`, \
                         or set `allow_inline_secrets = true` in [service] for a test bed",
                        key = option.key
                    ),
                ),
                (RawValue::Secret(_), false) => self.report(
                    option.line,
                    format!("takes `{}` from outside, which is for secrets only; write its value", option.key),
                ),
                (RawValue::Plain(value), false) => match normalise(&schema.kind, value) {
                    Ok(value) => checked.plain.push((option.key.clone(), value)),
                    Err(wanted) => self.report(
                        option.line,
                        format!("has `{} = {value}`; it must be {wanted}", option.key),
                    ),
                },
            }
        }
        self.fill_in(&seen, &mut checked);
        checked
    }

    fn fill_in(&mut self, seen: &BTreeSet<&str>, checked: &mut Checked) {
        for schema in self.schemas {
            if seen.contains(schema.name.as_str()) || is_the_hosts(&schema.name) {
                continue;
            }
            match &schema.default {
                Some(default) if !schema.secret => {
                    checked.plain.push((schema.name.clone(), default.clone()));
                }
                _ if schema.required && schema.secret => self.report(
                    self.line,
                    format!(
                        "lacks the secret `{name}` ({doc}); name a variable with `{name}_env` or a file with `{name}_file`",
                        name = schema.name,
                        doc = schema.doc.trim_end_matches('.')
                    ),
                ),
                _ if schema.required => self.report(
                    self.line,
                    format!("lacks `{}` ({})", schema.name, schema.doc.trim_end_matches('.')),
                ),
                _ => {}
            }
        }
    }

    fn unknown(&mut self, option: &RawOption) {
        let names = self.schemas.iter().map(|schema| schema.name.as_str());
        let hint = suggestion(&option.key, names.chain(HOST_KEYS.iter().copied()));
        let text = format!(
            "has the unknown key `{}`: neither the host nor the driver {} {} knows it{hint}",
            option.key, self.driver.name, self.driver.version
        );
        self.report(option.line, text);
    }
}

/// What the host reads itself; a driver that lists one of them in its schema gets no value for it.
const HOST_KEYS: &[&str] = &[
    "volume_backend_name",
    "driver",
    "san_ip",
    "backend_host",
    "backend_availability_zone",
    "failback_discards_old_primary",
    "ca_file",
    "fingerprint",
    "replication_device",
    "backend_id",
    "type",
    "driver_ssl_cert_path",
    "driver_ssl_cert_verify",
    "ssl_cert_path",
    "ssl_cert_verify",
];

fn is_the_hosts(name: &str) -> bool {
    HOST_KEYS.contains(&name)
}

/// The value as drivers are given it, or what it should have been.
fn normalise(kind: &OptionType, value: &str) -> Result<String, String> {
    match kind {
        OptionType::Text | OptionType::TextList | OptionType::Other(_) => Ok(value.to_owned()),
        OptionType::Boolean => match value.to_lowercase().as_str() {
            "true" | "yes" | "on" | "1" => Ok("true".to_owned()),
            "false" | "no" | "off" | "0" => Ok("false".to_owned()),
            _ => Err("`true` or `false`".to_owned()),
        },
        OptionType::Integer => value
            .parse::<i64>()
            .map(|number| number.to_string())
            .map_err(|_| "a whole number".to_owned()),
        OptionType::Seconds => value
            .parse::<u64>()
            .map(|number| number.to_string())
            .map_err(|_| "a whole number of seconds".to_owned()),
        OptionType::Choice(words) if words.iter().any(|word| word == value) => Ok(value.to_owned()),
        OptionType::Choice(words) => {
            let hint = suggestion(value, words.iter().map(String::as_str));
            Err(format!("one of `{}`{hint}", words.join("`, `")))
        }
    }
}
