//! Options of a backend, by Cinder's names; defaults are filled in by the host from `describe`.

use springform_sdk::types::Context;

use crate::arrays::{ACTIVE_TARGET, second_of_pod};
use crate::layout::{Kind, Layout};
use crate::names;
use crate::protocol::Protocol;

/// Reads options of one call.
#[derive(Clone, Copy)]
pub struct Options<'a> {
    context: &'a Context,
    kind: Kind,
}

impl<'a> Options<'a> {
    /// The options of a context, for one of the drivers.
    #[must_use]
    pub fn new(context: &'a Context, kind: Kind) -> Self {
        Self { context, kind }
    }

    /// How volumes are laid out.
    #[must_use]
    pub fn layout(&self) -> Layout<'a> {
        Layout {
            kind: self.kind,
            pod: self
                .text("pure_replication_pod_name")
                .unwrap_or("cinder-pod"),
            at_home: self.kind != Kind::TriSync || self.lands_in_pod(),
        }
    }

    /// Whether the array on which new volumes land is one that the pod is on.
    fn lands_in_pod(&self) -> bool {
        let mut extensions = self.context.extensions.iter();
        let Some((_, landing)) = extensions.find(|(key, _)| key == ACTIVE_TARGET) else {
            return true;
        };
        let second = second_of_pod(self.context).map(|t| &t.name);
        let mut targets = self.context.targets.iter();
        second == Some(landing) || targets.any(|t| t.primary && t.name == *landing)
    }

    /// Protection group in the pod: what keeps the third site up to date.
    #[must_use]
    pub fn third_group(&self) -> String {
        let name = self
            .text("pure_trisync_pg_name")
            .unwrap_or("cinder-trisync");
        names::in_pod(self.layout().pod, name)
    }

    /// Prefix of the pods in which volumes travel into and out of the stretched pod.
    #[must_use]
    pub fn ghost_pod(&self) -> &'a str {
        self.text("pure_ghost_pod_name")
            .unwrap_or("cinder-ghost-pod")
    }

    /// How long a pod may take to come online on its second array, in seconds.
    #[must_use]
    pub fn stretch_timeout(&self) -> u64 {
        self.number("pure_stretch_timeout").unwrap_or(3600)
    }

    /// The array whose paths machines are to prefer, by its configured name.
    #[must_use]
    pub fn preferred_array(&self) -> Option<&'a str> {
        self.text("pure_preferred_array")
    }

    /// Protection group of all asynchronous volumes.
    #[must_use]
    pub fn pgroup(&self) -> &'a str {
        self.text("pure_replication_pg_name")
            .unwrap_or("cinder-group")
    }

    /// Replication interval in seconds.
    #[must_use]
    pub fn interval(&self) -> u64 {
        self.number("pure_replica_interval_default").unwrap_or(3600)
    }

    /// All snapshots are kept on the target for so many seconds.
    #[must_use]
    pub fn retention_all(&self) -> u64 {
        self.number("pure_replica_retention_short_term_default")
            .unwrap_or(14_400)
    }

    /// Afterwards so many a day.
    #[must_use]
    pub fn retention_per_day(&self) -> u64 {
        self.number("pure_replica_retention_long_term_per_day_default")
            .unwrap_or(3)
    }

    /// For so many days.
    #[must_use]
    pub fn retention_days(&self) -> u64 {
        self.number("pure_replica_retention_long_term_default")
            .unwrap_or(7)
    }

    /// Whether a deleted object is eradicated at once.
    #[must_use]
    pub fn eradicate(&self) -> bool {
        self.truth("pure_eradicate_on_delete") && !self.truth("pure_safemode_enabled")
    }

    /// Whether SafeMode default protection is asked for.
    #[must_use]
    pub fn safemode(&self) -> bool {
        self.truth("pure_safemode_enabled")
    }

    /// Personality of host objects made by the driver.
    #[must_use]
    pub fn personality(&self) -> Option<&'a str> {
        self.text("pure_host_personality")
    }

    /// How machines reach the volumes.
    #[must_use]
    pub fn protocol(&self) -> Protocol {
        match (
            self.text("pure_storage_protocol"),
            self.text("pure_nvme_transport"),
        ) {
            (Some("fc"), _) => Protocol::FibreChannel,
            (Some("nvme"), Some("tcp")) => Protocol::NvmeTcp,
            (Some("nvme"), _) => Protocol::NvmeRoce,
            _ => Protocol::Iscsi,
        }
    }

    /// CIDRs of usable iSCSI portals.
    #[must_use]
    pub fn iscsi_cidrs(&self) -> Vec<&'a str> {
        self.networks("pure_iscsi_cidr_list", "pure_iscsi_cidr")
    }

    /// CIDRs of usable NVMe portals.
    #[must_use]
    pub fn nvme_cidrs(&self) -> Vec<&'a str> {
        self.networks("pure_nvme_cidr_list", "pure_nvme_cidr")
    }

    /// The list wins over the single network.
    fn networks(&self, list: &str, single: &str) -> Vec<&'a str> {
        self.text(list)
            .or_else(|| self.text(single))
            .unwrap_or("0.0.0.0/0")
            .split(',')
            .map(str::trim)
            .filter(|c| !c.is_empty())
            .collect()
    }

    /// Reserved percentage of a pool.
    #[must_use]
    pub fn reserved(&self) -> u32 {
        self.number("reserved_percentage")
            .and_then(|n| u32::try_from(n).ok())
            .unwrap_or(0)
    }

    /// Configured over-subscription ratio in thousandths, and whether the array's own reduction is used instead.
    #[must_use]
    pub fn over_subscription(&self) -> (u64, bool) {
        let permille = self
            .text("max_over_subscription_ratio")
            .and_then(permille)
            .unwrap_or(20_000)
            .clamp(1000, 1_000_000_000);
        (
            permille,
            self.text("pure_automatic_max_oversubscription_ratio")
                .is_none_or(is_true),
        )
    }

    fn text(&self, name: &str) -> Option<&'a str> {
        self.context
            .options
            .iter()
            .find(|(key, _)| key == name)
            .map(|(_, value)| value.as_str())
            .filter(|v| !v.is_empty())
    }

    fn number(&self, name: &str) -> Option<u64> {
        self.text(name).and_then(|v| v.parse().ok())
    }

    fn truth(&self, name: &str) -> bool {
        self.text(name).is_some_and(is_true)
    }
}

/// A decimal number in thousandths. The floating-point reader of the standard library weighs as much as three verbs.
fn permille(text: &str) -> Option<u64> {
    let (whole, part) = text.trim().split_once('.').unwrap_or((text.trim(), ""));
    let digits = part.bytes().chain(std::iter::repeat(b'0')).take(3);
    let thousandths = digits.into_iter().try_fold(0, |sum, digit| {
        digit
            .is_ascii_digit()
            .then(|| sum * 10 + u64::from(digit - b'0'))
    })?;
    whole
        .parse::<u64>()
        .ok()?
        .checked_mul(1000)?
        .checked_add(thousandths)
}

/// Whether an option's text means yes.
#[must_use]
pub fn is_true(text: &str) -> bool {
    matches!(
        text.to_ascii_lowercase().as_str(),
        "true" | "1" | "yes" | "on"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ratio_is_read_to_its_third_decimal() {
        assert_eq!(permille("20.0"), Some(20_000));
        assert_eq!(permille("7"), Some(7000));
        assert_eq!(permille(" 1.2345 "), Some(1234));
        assert_eq!(permille("1.5x"), None);
        assert_eq!(permille("much"), None);
        assert_eq!(permille("-1"), None);
    }
}
