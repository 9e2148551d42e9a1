//! The whole contract, answered by [`crate::answers`], as a macro: the exports must live in the fixture's own crate.

/// Exports a [`Behaviour`](crate::Behaviour) as a component.
#[macro_export]
macro_rules! fixture {
    ($behaviour:ty) => {
        mod component {
            use super::*;
            use $crate::Behaviour as _;
            use $crate::backend::{Pool, SetupReport, Statistics, TargetHealth};
            use $crate::connections::{Connection, Connector, Disconnected, Path};
            use $crate::groups::{Group, SnapshotOutcome};
            use $crate::replication::{FailoverPlan, Observation, PlanRequest, ReconcileReport, TestCopy};
            use $crate::types::{Context, Error, Outcome, Placement, Snapshot, SnapshotPlacement, Volume, VolumeType};
            use $crate::volumes::{Adopted, AdoptedSnapshot, ManageablePage, Reference};

            type B = $behaviour;

            /// The component.
            pub struct Fixture;

            fn batch(ctx: &Context, volumes: &[Volume]) -> Vec<Outcome> {
                B::outcomes(ctx, volumes.iter().map(|v| $crate::unchanged(ctx, v)).collect())
            }

            fn snapshot_placement(snapshot: &Snapshot) -> SnapshotPlacement {
                SnapshotPlacement {
                    array_name: snapshot.name.clone(),
                    metadata: Vec::new(),
                    extensions: Vec::new(),
                }
            }

            impl $crate::identity::Guest for Fixture {
                fn describe() -> $crate::identity::Description {
                    B::describe()
                }
            }

            impl $crate::backend::Guest for Fixture {
                fn setup(ctx: Context) -> Result<SetupReport, Error> {
                    B::on("backend.setup", &ctx)?;
                    Ok(SetupReport { state: B::state(&ctx), changes: Vec::new(), warnings: Vec::new() })
                }
                fn check(ctx: Context) -> Result<Vec<TargetHealth>, Error> {
                    B::on("backend.check", &ctx)?;
                    let health = ctx.targets.iter().map(|t| TargetHealth {
                        target: t.name.clone(),
                        reachable: t.reachable,
                        array_id: None,
                        array_name: None,
                        api_version: None,
                        array_version: None,
                        problems: Vec::new(),
                    });
                    Ok(health.collect())
                }
                fn stats(ctx: Context) -> Result<Statistics, Error> {
                    B::on("backend.stats", &ctx)?;
                    const TIB: u64 = 1 << 40;
                    Ok(Statistics {
                        vendor: "Springform".into(),
                        driver_version: env!("CARGO_PKG_VERSION").into(),
                        protocol: "iSCSI".into(),
                        pools: vec![Pool {
                            name: "pool".into(),
                            total_bytes: 1024 * TIB,
                            free_bytes: 1000 * TIB,
                            provisioned_bytes: 0,
                            max_over_subscription_permille: 20_000,
                            reserved_percent: 0,
                            thin: true,
                            multiattach: true,
                            qos: false,
                            capabilities: B::capabilities(&ctx)?,
                        }],
                        replication_enabled: true,
                        replication_types: vec!["async".into()],
                        replication_targets: ctx.targets.iter().filter(|t| !t.primary).map(|t| t.name.clone()).collect(),
                        extensions: Vec::new(),
                    })
                }
            }

            impl $crate::volumes::Guest for Fixture {
                fn create(ctx: Context, volume: Volume) -> Result<Placement, Error> {
                    B::on("volumes.create", &ctx)?;
                    Ok($crate::placement(&ctx, &volume))
                }
                fn create_from_snapshot(ctx: Context, volume: Volume, _: Snapshot, _: Volume) -> Result<Placement, Error> {
                    B::on("volumes.create-from-snapshot", &ctx)?;
                    Ok($crate::placement(&ctx, &volume))
                }
                fn clone(ctx: Context, volume: Volume, _: Volume) -> Result<Placement, Error> {
                    B::on("volumes.clone", &ctx)?;
                    Ok($crate::placement(&ctx, &volume))
                }
                fn delete(ctx: Context, _: Volume) -> Result<(), Error> {
                    B::on("volumes.delete", &ctx)
                }
                fn extend(ctx: Context, _: Volume, _: u64) -> Result<(), Error> {
                    B::on("volumes.extend", &ctx)
                }
                fn create_snapshot(ctx: Context, _: Volume, snapshot: Snapshot) -> Result<SnapshotPlacement, Error> {
                    B::on("volumes.create-snapshot", &ctx)?;
                    Ok(snapshot_placement(&snapshot))
                }
                fn delete_snapshot(ctx: Context, _: Volume, _: Snapshot) -> Result<(), Error> {
                    B::on("volumes.delete-snapshot", &ctx)
                }
                fn revert(ctx: Context, _: Volume, _: Snapshot) -> Result<(), Error> {
                    B::on("volumes.revert", &ctx)
                }
                fn retype(ctx: Context, volume: Volume, new_type: Option<VolumeType>) -> Result<Placement, Error> {
                    B::on("volumes.retype", &ctx)?;
                    let mut placement = $crate::placement(&ctx, &volume);
                    placement.replication = new_type.and_then(|t| t.replication);
                    Ok(placement)
                }
                fn inspect(ctx: Context, _: Reference) -> Result<u64, Error> {
                    B::on("volumes.inspect", &ctx)?;
                    Ok(1 << 30)
                }
                fn manage(ctx: Context, volume: Volume, reference: Reference, keep_name: bool) -> Result<Adopted, Error> {
                    B::on("volumes.manage", &ctx)?;
                    let mut placement = $crate::placement(&ctx, &volume);
                    if keep_name {
                        placement.array_name = $crate::named(&reference);
                    }
                    Ok(Adopted { placement, size: 1 << 30 })
                }
                fn unmanage(ctx: Context, _: Volume) -> Result<(), Error> {
                    B::on("volumes.unmanage", &ctx)
                }
                fn manage_snapshot(ctx: Context, _: Volume, snapshot: Snapshot, reference: Reference, keep_name: bool) -> Result<AdoptedSnapshot, Error> {
                    B::on("volumes.manage-snapshot", &ctx)?;
                    let mut placement = snapshot_placement(&snapshot);
                    if keep_name {
                        placement.array_name = $crate::named(&reference);
                    }
                    Ok(AdoptedSnapshot { placement, size: 1 << 30 })
                }
                fn unmanage_snapshot(ctx: Context, _: Volume, _: Snapshot) -> Result<(), Error> {
                    B::on("volumes.unmanage-snapshot", &ctx)
                }
                fn list_manageable(ctx: Context, _: Option<String>, _: u32) -> Result<ManageablePage, Error> {
                    B::on("volumes.list-manageable", &ctx)?;
                    Ok(ManageablePage { items: $crate::existing_volumes(), next: None })
                }
                fn list_manageable_snapshots(ctx: Context, _: Option<String>, _: u32) -> Result<ManageablePage, Error> {
                    B::on("volumes.list-manageable-snapshots", &ctx)?;
                    Ok(ManageablePage { items: $crate::existing_snapshots(), next: None })
                }
            }

            impl $crate::connections::Guest for Fixture {
                fn connect(ctx: Context, volume: Volume, _: Connector) -> Result<Connection, Error> {
                    B::on("connections.connect", &ctx)?;
                    Ok(Connection {
                        driver_volume_type: "iscsi".into(),
                        paths: vec![Path {
                            target: $crate::placement(&ctx, &volume).target,
                            portal: Some("127.0.0.1:3260".into()),
                            port: "iqn.2026-11.example:noop".into(),
                            lun: 1,
                            preferred: true,
                        }],
                        wwn: None,
                        nguid: None,
                        discard: true,
                        chap: None,
                        transport: None,
                        data: Vec::new(),
                        extensions: Vec::new(),
                    })
                }
                fn disconnect(ctx: Context, _: Volume, _: Option<Connector>, keep: bool) -> Result<Disconnected, Error> {
                    B::on("connections.disconnect", &ctx)?;
                    Ok(Disconnected { last_of_host: !keep, connection: None })
                }
            }

            impl $crate::replication::Guest for Fixture {
                fn observe(ctx: Context, volumes: Vec<Volume>) -> Result<Vec<Observation>, Error> {
                    B::on("replication.observe", &ctx)?;
                    Ok(volumes.iter().map(|v| $crate::observation(&ctx, v)).collect())
                }
                fn plan_failover(ctx: Context, request: PlanRequest) -> Result<FailoverPlan, Error> {
                    B::on("replication.plan-failover", &ctx)?;
                    let target = request.to.clone().or_else(|| ctx.targets.iter().find(|t| !t.primary).map(|t| t.name.clone()));
                    Ok(FailoverPlan {
                        target: target.unwrap_or_default(),
                        mode: request.mode.clone(),
                        volumes: request.volumes.iter().map(|v| $crate::volume_plan(&ctx, v)).collect(),
                        interrupts: Vec::new(),
                        token: Vec::new(),
                    })
                }
                fn final_sync(ctx: Context, plan: FailoverPlan, volumes: Vec<Volume>) -> Result<FailoverPlan, Error> {
                    B::on("replication.final-sync", &ctx)?;
                    Ok(B::synced(&ctx, plan, &volumes))
                }
                fn demote(ctx: Context, _: String, volumes: Vec<Volume>) -> Result<Vec<Outcome>, Error> {
                    B::on("replication.demote", &ctx)?;
                    Ok(batch(&ctx, &volumes))
                }
                fn fail_over(ctx: Context, plan: FailoverPlan, volumes: Vec<Volume>) -> Result<Vec<Outcome>, Error> {
                    B::on("replication.fail-over", &ctx)?;
                    let moved = volumes.iter().map(|v| $crate::moved(&ctx, v, &plan.target)).collect();
                    Ok(B::outcomes(&ctx, moved))
                }
                fn finish_failover(ctx: Context, _: FailoverPlan, _: Vec<Volume>) -> Result<Vec<u8>, Error> {
                    B::on("replication.finish-failover", &ctx)?;
                    Ok(B::state(&ctx))
                }
                fn reprotect(ctx: Context, volumes: Vec<Volume>, _: Option<String>, _: bool, _: bool) -> Result<Vec<Outcome>, Error> {
                    B::on("replication.reprotect", &ctx)?;
                    Ok(batch(&ctx, &volumes))
                }
                fn resync(ctx: Context, _: String, volumes: Vec<Volume>, _: bool) -> Result<Vec<Outcome>, Error> {
                    B::on("replication.resync", &ctx)?;
                    Ok(batch(&ctx, &volumes))
                }
                fn enable(ctx: Context, volumes: Vec<Volume>) -> Result<Vec<Outcome>, Error> {
                    B::on("replication.enable", &ctx)?;
                    Ok(batch(&ctx, &volumes))
                }
                fn disable(ctx: Context, volumes: Vec<Volume>) -> Result<Vec<Outcome>, Error> {
                    B::on("replication.disable", &ctx)?;
                    Ok(batch(&ctx, &volumes))
                }
                fn start_test(ctx: Context, test_id: String, target: String, _: Option<String>, volumes: Vec<Volume>) -> Result<Vec<TestCopy>, Error> {
                    B::on("replication.start-test", &ctx)?;
                    let copies = volumes.iter().map(|v| {
                        let mut copy = $crate::placement(&ctx, v);
                        copy.array_name = format!("{}-{test_id}", v.name);
                        copy.target.clone_from(&target);
                        TestCopy { volume_id: v.id.clone(), result: Ok(copy), point: Some($crate::point(&ctx)) }
                    });
                    Ok(copies.collect())
                }
                fn stop_test(ctx: Context, _: String, _: String, _: Vec<Volume>) -> Result<(), Error> {
                    B::on("replication.stop-test", &ctx)
                }
                fn commit_test(ctx: Context, _: String, plan: FailoverPlan, volumes: Vec<Volume>) -> Result<Vec<Outcome>, Error> {
                    B::on("replication.commit-test", &ctx)?;
                    let moved = volumes.iter().map(|v| $crate::moved(&ctx, v, &plan.target)).collect();
                    Ok(B::outcomes(&ctx, moved))
                }
                fn reconcile(ctx: Context, _: Vec<Volume>, _: bool) -> Result<ReconcileReport, Error> {
                    B::on("replication.reconcile", &ctx)?;
                    Ok(ReconcileReport { state: B::state(&ctx), changes: Vec::new(), warnings: Vec::new() })
                }
            }

            impl $crate::groups::Guest for Fixture {
                fn create(ctx: Context, group: Group) -> Result<String, Error> {
                    B::on("groups.create", &ctx)?;
                    Ok(group.array_name.unwrap_or(group.name))
                }
                fn delete(ctx: Context, _: Group) -> Result<(), Error> {
                    B::on("groups.delete", &ctx)
                }
                fn update(ctx: Context, _: Group, _: Vec<Volume>, _: Vec<Volume>) -> Result<(), Error> {
                    B::on("groups.update", &ctx)
                }
                fn create_snapshot(ctx: Context, _: Group, _: String, _: Vec<Volume>, snapshots: Vec<Snapshot>) -> Result<Vec<SnapshotOutcome>, Error> {
                    B::on("groups.create-snapshot", &ctx)?;
                    let taken = snapshots.iter().map(|s| SnapshotOutcome { id: s.id.clone(), result: Ok(snapshot_placement(s)) });
                    Ok(taken.collect())
                }
                fn delete_snapshot(ctx: Context, _: Group, _: String, _: Vec<Snapshot>) -> Result<(), Error> {
                    B::on("groups.delete-snapshot", &ctx)
                }
                fn create_from(ctx: Context, _: Group, volumes: Vec<Volume>, _: Group, _: Option<String>, _: Vec<Volume>) -> Result<Vec<Outcome>, Error> {
                    B::on("groups.create-from", &ctx)?;
                    Ok(batch(&ctx, &volumes))
                }
                fn enable_replication(ctx: Context, _: Group, _: Vec<Volume>) -> Result<(), Error> {
                    B::on("groups.enable-replication", &ctx)
                }
                fn disable_replication(ctx: Context, _: Group, _: Vec<Volume>) -> Result<(), Error> {
                    B::on("groups.disable-replication", &ctx)
                }
            }
        }

        $crate::export!(Component with_types_in $crate);
        use component::Fixture as Component;
    };
}
