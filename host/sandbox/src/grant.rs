//! Which requests a driver may send to a target. The component proposes, the operator's file adds and takes away, and the host has
//! the last word on what would show a credential. Pure: it knows paths and methods, and sends nothing.

mod path;
mod rule;

use http::Method;

pub use path::is_plain;
pub use rule::Rule;

/// Key of `description.extensions` under which a component proposes one rule; it may stand there many times.
pub const PROPOSAL: &str = "springform/requests";

/// Requests that no component is given by proposing them: they show or make credentials of the array. An operator may still
/// allow them by name.
const RESERVED: [&str; 8] = [
    "* /api/*/admins/**",
    "* /api/*/api-clients/**",
    "* /api/*/directory-services/**",
    "* /api/*/certificates/**",
    "* /api/*/sso/**",
    "* /api/*/oauth2/**",
    "* /api/user/**",
    "* /api/role/**",
];

/// Who put a rule into a grant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Origin {
    /// The component, in its description.
    Component,
    /// `[driver.<name>.grant]`.
    Driver,
    /// `[driver.<name>.grant.target.<target>]`.
    Target,
    /// The host, for every driver.
    Host,
}

/// What a driver may ask of one target.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Grant {
    /// What the operator allows beside what the component proposes.
    pub allow: Vec<(Rule, Origin)>,
    /// What the operator forbids, whoever allows it.
    pub deny: Vec<(Rule, Origin)>,
    /// Whether what the component proposes is taken; without a proposal that is every request that the host does not reserve.
    pub refuse_proposal: bool,
}

/// Why a request is not granted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ungranted {
    /// Nothing allows it.
    NotAllowed,
    /// The host keeps it from drivers unless the operator allows it by name; the rule.
    Reserved(&'static str),
    /// The operator forbids it; the rule and where it stands.
    Denied(String, Origin),
}

/// A grant together with what the component proposes.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct EffectiveGrant {
    grant: Grant,
    proposal: Vec<Rule>,
    reserved: Vec<(Rule, &'static str)>,
}

impl EffectiveGrant {
    /// Puts both together. A component that proposes nothing proposes everything.
    #[must_use]
    pub fn new(grant: Grant, proposal: &[Rule]) -> Self {
        let everything = || vec![Rule::everything()];
        let proposal = match (grant.refuse_proposal, proposal.is_empty()) {
            (true, _) => Vec::new(),
            (false, true) => everything(),
            (false, false) => proposal.to_vec(),
        };
        let reserved = RESERVED.iter();
        let reserved = reserved.filter_map(|text| Some((Rule::parse(text).ok()?, *text)));
        Self {
            grant,
            proposal,
            reserved: reserved.collect(),
        }
    }

    /// Decides. `path` has no query.
    ///
    /// # Errors
    /// The rule that forbids it, or that none allows it.
    pub fn decide(&self, method: &Method, path: &str) -> Result<(), Ungranted> {
        if let Some((rule, origin)) = self
            .grant
            .deny
            .iter()
            .find(|(rule, _)| rule.forbids(method, path))
        {
            return Err(Ungranted::Denied(rule.to_string(), *origin));
        }
        if self
            .grant
            .allow
            .iter()
            .any(|(rule, _)| rule.allows(method, path))
        {
            return Ok(());
        }
        if let Some((_, text)) = self
            .reserved
            .iter()
            .find(|(rule, _)| rule.forbids(method, path))
        {
            return Err(Ungranted::Reserved(text));
        }
        match self.proposal.iter().any(|rule| rule.allows(method, path)) {
            true => Ok(()),
            false => Err(Ungranted::NotAllowed),
        }
    }

    /// Each line with where it comes from: `allow GET /api/*/volumes`.
    pub fn lines(&self) -> impl Iterator<Item = (String, Origin)> {
        let line = |word: &str, rule: &Rule| format!("{word} {rule}");
        let deny = self
            .grant
            .deny
            .iter()
            .map(move |(rule, from)| (line("deny ", rule), *from));
        let allow = self
            .grant
            .allow
            .iter()
            .map(move |(rule, from)| (line("allow", rule), *from));
        let reserved = self
            .reserved
            .iter()
            .map(move |(rule, _)| (line("deny ", rule), Origin::Host));
        let proposed = self
            .proposal
            .iter()
            .map(move |rule| (line("allow", rule), Origin::Component));
        deny.chain(allow).chain(reserved).chain(proposed)
    }
}

#[cfg(test)]
#[path = "grant/tests.rs"]
mod tests;
