//! What the driver says of itself.

use springform_sdk::interfaces::identity::{
    CredentialScheme, Description, Feature, OptionSchema, OptionType, SessionScheme,
};

use crate::layout::Kind;

/// REST versions the library speaks, oldest first. The answers it reads are the same in all of them.
const VERSIONS: [&str; 8] = [
    "2.4", "2.16", "2.23", "2.26", "2.36", "2.44", "2.52", "2.58",
];

/// The description of a driver.
#[must_use]
pub fn of(kind: Kind) -> Description {
    let (name, summary) = match kind {
        Kind::Asynchronous => (
            "pure-async",
            "FlashArray volumes replicated asynchronously by a protection group",
        ),
        Kind::ActiveCluster => (
            "pure-activecluster",
            "FlashArray volumes stretched over two arrays (ActiveCluster), or replicated asynchronously",
        ),
        Kind::TriSync => (
            "pure-trisync",
            "FlashArray volumes stretched over two arrays and replicated to a third",
        ),
    };
    Description {
        name: name.to_owned(),
        vendor: "Pure Storage".to_owned(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        summary: summary.to_owned(),
        replication: kind.offers().to_vec(),
        protocols: ["iSCSI", "FC", "NVMe-RoCE", "NVMe-TCP"]
            .map(str::to_owned)
            .to_vec(),
        options: options(kind),
        target_options: target_options(kind),
        credentials: CredentialScheme::Session(session()),
        secret_option: Some("pure_api_token".to_owned()),
        target_secret_option: Some("api_token".to_owned()),
        features: vec![
            Feature::Snapshots,
            Feature::Clones,
            Feature::Revert,
            Feature::ExtendAttached,
            Feature::Retype,
            Feature::Manage,
            Feature::Groups,
            Feature::GroupSnapshots,
            Feature::Qos,
            Feature::Multiattach,
            Feature::Chap,
            Feature::PlannedFailover,
            Feature::Drill,
            Feature::Failback,
            Feature::Reconcile,
        ],
        extensions: REQUESTS
            .iter()
            .map(|rule| (PROPOSAL.to_owned(), (*rule).to_owned()))
            .collect(),
    }
}

fn session() -> SessionScheme {
    SessionScheme {
        login_path: "/api/{version}/login".to_owned(),
        login_method: "POST".to_owned(),
        secret_header: "api-token".to_owned(),
        token_response_header: Some("x-auth-token".to_owned()),
        token_pointer: None,
        token_header: "x-auth-token".to_owned(),
        logout_path: Some("/api/{version}/logout".to_owned()),
        version_path: Some("/api/api_version".to_owned()),
        version_pointer: Some("/version".to_owned()),
        versions: VERSIONS.map(str::to_owned).to_vec(),
        expired_statuses: vec![401],
    }
}

fn options(kind: Kind) -> Vec<OptionSchema> {
    let mut all = common();
    if kind.has_pod() {
        all.extend(of_pods());
    }
    if kind == Kind::TriSync {
        all.push(option(
            "pure_trisync_pg_name",
            OptionType::Text,
            Some("cinder-trisync"),
            "protection group in the pod that sends the volumes of three sites to the third",
        ));
    }
    all
}

fn of_pods() -> Vec<OptionSchema> {
    vec![
        option(
            "pure_replication_pod_name",
            OptionType::Text,
            Some("cinder-pod"),
            "pod of all stretched volumes",
        ),
        option(
            "pure_ghost_pod_name",
            OptionType::Text,
            Some("cinder-ghost-pod"),
            "prefix of the pods in which volumes travel into and out of the stretched pod",
        ),
        option(
            "pure_stretch_timeout",
            OptionType::Seconds,
            Some("3600"),
            "how long such a pod may take to come online on its second array",
        ),
        option(
            "pure_preferred_array",
            OptionType::Text,
            None,
            "backend_id of the array whose paths machines prefer; set on host objects that the driver makes",
        ),
    ]
}

fn common() -> Vec<OptionSchema> {
    let personalities = [
        "aix",
        "esxi",
        "hitachi-vsp",
        "hpux",
        "oracle-vm-server",
        "solaris",
        "vms",
    ];
    vec![
        secret("pure_api_token", "API token of the primary array"),
        option(
            "pure_replication_pg_name",
            OptionType::Text,
            Some("cinder-group"),
            "protection group of all replicated volumes",
        ),
        option(
            "pure_replica_interval_default",
            OptionType::Seconds,
            Some("3600"),
            "how often a copy is sent",
        ),
        option(
            "pure_replica_retention_short_term_default",
            OptionType::Seconds,
            Some("14400"),
            "how long the target keeps every copy",
        ),
        option(
            "pure_replica_retention_long_term_per_day_default",
            OptionType::Integer,
            Some("3"),
            "how many copies of a day the target keeps afterwards",
        ),
        option(
            "pure_replica_retention_long_term_default",
            OptionType::Integer,
            Some("7"),
            "for how many days",
        ),
        option(
            "pure_eradicate_on_delete",
            OptionType::Boolean,
            Some("false"),
            "eradicate what is deleted at once",
        ),
        option(
            "pure_safemode_enabled",
            OptionType::Boolean,
            Some("false"),
            "create volumes with SafeMode default protection; nothing is then eradicated on delete",
        ),
        option(
            "pure_host_personality",
            OptionType::Choice(personalities.map(str::to_owned).to_vec()),
            None,
            "personality of host objects that the driver makes",
        ),
        option(
            "pure_iscsi_cidr",
            OptionType::Text,
            Some("0.0.0.0/0"),
            "network of usable iSCSI portals",
        ),
        option(
            "pure_iscsi_cidr_list",
            OptionType::TextList,
            None,
            "several networks; wins over pure_iscsi_cidr",
        ),
        option(
            "pure_storage_protocol",
            OptionType::Choice(["iscsi", "fc", "nvme"].map(str::to_owned).to_vec()),
            Some("iscsi"),
            "how machines reach the volumes; stands for the choice among Cinder's three driver classes",
        ),
        option(
            "pure_nvme_transport",
            OptionType::Choice(["roce", "tcp"].map(str::to_owned).to_vec()),
            Some("roce"),
            "transport of NVMe",
        ),
        option(
            "pure_nvme_cidr",
            OptionType::Text,
            Some("0.0.0.0/0"),
            "network of usable NVMe portals",
        ),
        option(
            "pure_nvme_cidr_list",
            OptionType::TextList,
            None,
            "several networks; wins over pure_nvme_cidr",
        ),
        option(
            "pure_automatic_max_oversubscription_ratio",
            OptionType::Boolean,
            Some("true"),
            "use the array's own reduction ratio for over-subscription",
        ),
        option(
            "max_over_subscription_ratio",
            OptionType::Text,
            Some("20.0"),
            "over-subscription where the automatic ratio is off or not known",
        ),
        option(
            "reserved_percentage",
            OptionType::Integer,
            Some("0"),
            "percentage of the capacity that is never promised",
        ),
        option(
            "use_chap_auth",
            OptionType::Boolean,
            Some("false"),
            "machines log in to iSCSI with CHAP; the host makes and keeps the passwords",
        ),
    ]
}

/// Key under which a driver proposes to the host which requests it be granted.
pub const PROPOSAL: &str = "springform/requests";

/// All that is ever asked of an array: methods, and paths with `*` for the API version. Nothing of administrators, tokens and
/// certificates. A request that is not among these is denied by the host, so the simulated tests hold each one against this list.
pub const REQUESTS: [&str; 20] = [
    "GET /api/2.*/array-connections",
    "GET /api/2.*/arrays",
    "GET /api/2.*/arrays/space",
    "GET,POST,DELETE /api/2.*/connections",
    "GET,PATCH /api/2.*/container-default-protections",
    "GET,POST,PATCH,DELETE /api/2.*/hosts",
    "GET /api/2.*/network-interfaces",
    "GET,POST,PATCH,DELETE /api/2.*/pods",
    "GET,POST,DELETE /api/2.*/pods/arrays",
    "GET /api/2.*/ports",
    "GET,POST,PATCH,DELETE /api/2.*/protection-groups",
    "GET,POST,PATCH,DELETE /api/2.*/protection-groups/targets",
    "GET,POST,DELETE /api/2.*/protection-groups/volumes",
    "GET,POST,PATCH,DELETE /api/2.*/protection-group-snapshots",
    "GET /api/2.*/protection-group-snapshots/transfer",
    "GET,POST,PATCH,DELETE /api/2.*/volume-groups",
    "GET,POST,PATCH,DELETE /api/2.*/volume-snapshots",
    "GET,POST,PATCH,DELETE /api/2.*/volumes",
    "GET,DELETE /api/2.*/volumes/tags",
    "PUT /api/2.*/volumes/tags/batch",
];

fn target_options(kind: Kind) -> Vec<OptionSchema> {
    let mut all = vec![secret("api_token", "API token of the target array")];
    if kind.has_pod() {
        all.push(option(
            "uniform",
            OptionType::Boolean,
            Some("false"),
            "machines are connected to both arrays of a stretched volume",
        ));
    }
    all
}

fn option(name: &str, kind: OptionType, default: Option<&str>, doc: &str) -> OptionSchema {
    OptionSchema {
        name: name.to_owned(),
        kind,
        default: default.map(str::to_owned),
        required: false,
        secret: false,
        doc: doc.to_owned(),
    }
}

fn secret(name: &str, doc: &str) -> OptionSchema {
    OptionSchema {
        required: true,
        secret: true,
        ..option(name, OptionType::Text, None, doc)
    }
}
