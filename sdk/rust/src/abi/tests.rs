#![allow(clippy::unwrap_used, clippy::panic)]

use std::collections::BTreeMap;
use std::path::Path;

use wit_parser::{Resolve, SizeAlign, TypeDefKind};

use super::{Abi, done, give_back, run, take};
use crate::interfaces::{backend, connections, groups, identity, migrating, replication, volumes};
use crate::types;

/// Bytes, alignment, fields or cases.
type Shape = (usize, usize, Vec<String>);

fn shape<T: Abi>(interface: &'static str, name: &'static str) -> ((String, String), Shape) {
    let parts = T::PARTS.iter().map(|&part| part.to_owned()).collect();
    (
        (interface.to_owned(), name.to_owned()),
        (T::SIZE, T::ALIGN, parts),
    )
}

fn ours() -> BTreeMap<(String, String), Shape> {
    BTreeMap::from([
        shape::<types::ReplicationKind>("types", "replication-kind"),
        shape::<types::Target>("types", "target"),
        shape::<types::Context>("types", "context"),
        shape::<types::Pending>("types", "pending"),
        shape::<types::FailureCode>("types", "failure-code"),
        shape::<types::Failure>("types", "failure"),
        shape::<types::Error>("types", "error"),
        shape::<types::Qos>("types", "qos"),
        shape::<types::VolumeType>("types", "volume-type"),
        shape::<types::Placement>("types", "placement"),
        shape::<types::Volume>("types", "volume"),
        shape::<types::Snapshot>("types", "snapshot"),
        shape::<types::SnapshotPlacement>("types", "snapshot-placement"),
        shape::<types::Outcome>("types", "outcome"),
        shape::<identity::OptionType>("identity", "option-type"),
        shape::<identity::OptionSchema>("identity", "option-schema"),
        shape::<identity::SessionScheme>("identity", "session-scheme"),
        shape::<identity::CredentialScheme>("identity", "credential-scheme"),
        shape::<identity::Feature>("identity", "feature"),
        shape::<identity::Description>("identity", "description"),
        shape::<backend::Change>("backend", "change"),
        shape::<backend::SetupReport>("backend", "setup-report"),
        shape::<backend::TargetHealth>("backend", "target-health"),
        shape::<backend::Pool>("backend", "pool"),
        shape::<backend::Statistics>("backend", "statistics"),
        shape::<connections::Chap>("connections", "chap"),
        shape::<connections::Connector>("connections", "connector"),
        shape::<connections::Path>("connections", "path"),
        shape::<connections::Connection>("connections", "connection"),
        shape::<connections::Disconnected>("connections", "disconnected"),
        shape::<groups::Group>("groups", "group"),
        shape::<groups::SnapshotOutcome>("groups", "snapshot-outcome"),
        shape::<migrating::Side>("migrating", "side"),
        shape::<migrating::Migration>("migrating", "migration"),
        shape::<replication::Role>("replication", "role"),
        shape::<replication::LinkState>("replication", "link-state"),
        shape::<replication::Protection>("replication", "protection"),
        shape::<replication::RecoveryPoint>("replication", "recovery-point"),
        shape::<replication::Link>("replication", "link"),
        shape::<replication::Observation>("replication", "observation"),
        shape::<replication::FailoverMode>("replication", "failover-mode"),
        shape::<replication::PlanRequest>("replication", "plan-request"),
        shape::<replication::VolumePlan>("replication", "volume-plan"),
        shape::<replication::FailoverPlan>("replication", "failover-plan"),
        shape::<replication::TestCopy>("replication", "test-copy"),
        shape::<replication::ReconcileReport>("replication", "reconcile-report"),
        shape::<volumes::Reference>("volumes", "reference"),
        shape::<volumes::Adopted>("volumes", "adopted"),
        shape::<volumes::AdoptedSnapshot>("volumes", "adopted-snapshot"),
        shape::<volumes::Manageable>("volumes", "manageable"),
        shape::<volumes::ManageablePage>("volumes", "manageable-page"),
    ])
}

#[test]
fn every_type_lies_in_memory_as_the_contract_says() {
    let mut resolve = Resolve::default();
    let contract = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../wit/driver/v0.1");
    resolve.push_path(contract).unwrap();
    let mut sizes = SizeAlign::default();
    sizes.fill(&resolve);
    let ours = ours();
    let mut seen = 0;
    for interface in resolve.interfaces.iter().map(|(_, interface)| interface) {
        let of = interface.name.as_deref().unwrap_or_default();
        for (name, id) in &interface.types {
            let parts: Vec<String> = match &resolve.types[*id].kind {
                TypeDefKind::Record(record) => record
                    .fields
                    .iter()
                    .map(|field| field.name.replace('-', "_"))
                    .collect(),
                TypeDefKind::Variant(variant) => {
                    variant.cases.iter().map(|case| camel(&case.name)).collect()
                }
                _ => continue,
            };
            let at = &wit_parser::Type::Id(*id);
            // The pointers of this test are those of the machine that runs it.
            let theirs = match size_of::<usize>() {
                4 => (
                    sizes.size(at).size_wasm32(),
                    sizes.align(at).align_wasm32(),
                    parts,
                ),
                _ => (
                    sizes.size(at).size_wasm64(),
                    sizes.align(at).align_wasm64(),
                    parts,
                ),
            };
            let key = (of.to_owned(), name.clone());
            assert_eq!(ours.get(&key), Some(&theirs), "{of}.{name}");
            seen += 1;
        }
    }
    assert_eq!(
        seen,
        ours.len(),
        "a type is listed that the contract does not have"
    );
}

fn camel(name: &str) -> String {
    let word = |word: &str| {
        let (first, rest) = word.split_at(1);
        first.to_ascii_uppercase() + rest
    };
    name.split('-').map(word).collect()
}

fn volume() -> types::Volume {
    types::Volume {
        id: "v".to_owned(),
        name: "volume-v".to_owned(),
        display_name: String::new(),
        project: "p".to_owned(),
        size: 1 << 40,
        volume_type: Some(types::VolumeType {
            id: "t".to_owned(),
            name: "gold".to_owned(),
            replication: Some(types::ReplicationKind::Other("four sites".to_owned())),
            specs: vec![("a".to_owned(), "b".to_owned())],
            qos: types::Qos {
                max_iops: Some(7),
                max_bytes_per_second: None,
            },
        }),
        group: None,
        placement: Some(types::Placement {
            array_name: "volume-v-cinder".to_owned(),
            target: "a".to_owned(),
            serial: Some("ABC".to_owned()),
            metadata: Vec::new(),
            replication: Some(types::ReplicationKind::Sync),
            extensions: vec![("k".to_owned(), String::new())],
        }),
        generation: 3,
        instances: vec!["one".to_owned(), "two".to_owned()],
        boot: true,
        extensions: Vec::new(),
    }
}

#[test]
fn what_is_written_is_read_back() {
    type Answer = Result<Vec<types::Volume>, types::Error>;
    let failed = types::Error::Failed(crate::fail::failure_on("b", types::FailureCode::Busy, "no"));
    for value in [Ok(vec![volume(), volume()]), Ok(Vec::new()), Err(failed)] {
        let value: Answer = value;
        let at = take(Answer::SIZE, Answer::ALIGN);
        // SAFETY: the memory is of this type, written once and read once.
        let read = unsafe {
            value.clone().lower(at);
            let read = Answer::lift(at);
            give_back(at, Answer::SIZE, Answer::ALIGN);
            read
        };
        assert_eq!(read, value);
    }
}

#[test]
fn a_function_reads_its_parameters_and_its_answer_is_freed() {
    type Parameters = (types::Volume, u64, Vec<String>);
    fn extend(volume: types::Volume, by: u64, words: Vec<String>) -> Result<String, types::Error> {
        Ok(format!(
            "{} {} {}",
            volume.id,
            volume.size + by,
            words.join("+")
        ))
    }
    let at = take(Parameters::SIZE, Parameters::ALIGN);
    let words = vec!["x".to_owned(), "y".to_owned()];
    // SAFETY: what the host would do: write, call, read, call for the end.
    unsafe {
        (volume(), 1_u64, words).lower(at);
        let answer = run(extend, at);
        let told = <Result<String, types::Error>>::lift(answer).unwrap();
        assert_eq!(told, format!("v {} x+y", (1_u64 << 40) + 1));
        Ok::<_, types::Error>(told).lower(answer);
        done(extend, answer);
    }
}

#[test]
fn a_context_that_travels_as_plain_arguments_arrives() {
    fn told(context: types::Context) -> Result<String, types::Error> {
        let target = context.targets.first().map(|target| target.name.as_str());
        let words = [
            &context.operation_id,
            &context.backend,
            target.unwrap_or_default(),
        ];
        let last = context.extensions.first().map(|(key, _)| key.as_str());
        Ok(format!(
            "{words:?} {} {} {last:?}",
            context.deadline_ms, context.now
        ))
    }
    let context = types::Context {
        operation_id: "op".to_owned(),
        backend: "pure1".to_owned(),
        options: vec![("o".to_owned(), "1".to_owned())],
        targets: vec![types::Target {
            name: "a".to_owned(),
            primary: true,
            kind: None,
            options: Vec::new(),
            reachable: true,
            extensions: Vec::new(),
        }],
        state: vec![1, 2, 3],
        cursor: Vec::new(),
        deadline_ms: 7,
        now: 9,
        extensions: vec![("k".to_owned(), "v".to_owned())],
    };
    let at = take(types::Context::SIZE, types::Context::ALIGN);
    // SAFETY: the words of a context, passed once.
    unsafe {
        context.lower(at);
        let parts = (
            at.cast::<[usize; 12]>().read(),
            at.add(12 * size_of::<usize>()).cast::<[u64; 2]>().read(),
            at.add(12 * size_of::<usize>() + 16)
                .cast::<[usize; 2]>()
                .read(),
        );
        give_back(at, types::Context::SIZE, types::Context::ALIGN);
        let answer = super::run_with_context(told, parts);
        let heard = <Result<String, types::Error>>::lift(answer).unwrap();
        assert_eq!(heard, r#"["op", "pure1", "a"] 7 9 Some("k")"#);
        Ok::<_, types::Error>(heard).lower(answer);
        done(told, answer);
    }
}
