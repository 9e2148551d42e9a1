//! Every request of every verb of volumes on three sites goes wrong once, in every way; the same operation is then tried
//! again, and what is on the arrays is what would be there had nothing gone wrong.

use flasharray::layout::Kind;
use springform_sdk::interfaces::replication::{FailoverMode, PlanRequest};
use springform_sdk::types::{Error, Outcome, ReplicationKind, Volume};

use crate::memory::Memory;
use crate::rig::{leaving, replicated, three_sites, three_targets};
use crate::sweep::{connected, sweep_on};

pub fn site() -> Memory {
    Memory::new(Kind::TriSync, three_targets())
}

fn three() -> Volume {
    three_sites("60000000-0000-0000-0000-000000000001")
}

fn plain() -> Volume {
    let mut volume = replicated("60000000-0000-0000-0000-000000000002");
    volume.volume_type.as_mut().unwrap().replication = None;
    volume
}

fn each(outcomes: Vec<Outcome>) -> Result<(), Error> {
    outcomes
        .into_iter()
        .try_for_each(|o| o.result.map(drop).map_err(Error::from))
}

/// A volume in use, of which the third site has a copy.
fn copied(m: &Memory) -> Volume {
    m.set_up();
    let volume = connected(m, three());
    m.pass(300_000);
    volume
}

fn plan(to: &str, volume: &Volume, mode: FailoverMode) -> PlanRequest {
    PlanRequest {
        volumes: vec![volume.clone()],
        to: Some(to.to_owned()),
        mode,
        point: None,
    }
}

fn lead(m: &Memory, volume: &Volume, from: &str, to: &str) -> Result<Volume, Error> {
    let one = std::slice::from_ref(volume);
    let request = plan(to, volume, FailoverMode::Planned);
    let plan = m.call("op", |d| d.plan(&request))?;
    let plan = m.call("op", |d| d.final_sync(&plan, one))?;
    let demoted = [leaving(volume, to)];
    each(m.call("op", |d| d.demote(from, &demoted))?)?;
    let plan = m.call("op", |d| d.final_sync(&plan, one))?;
    let outcome = m.call("op", |d| d.fail_over(&plan, one))?.remove(0);
    let mut moved = volume.clone();
    moved.placement = Some(outcome.result.map_err(Error::from)?);
    Ok(moved)
}

/// One that the third site leads.
pub fn away(m: &Memory) -> Volume {
    let volume = copied(m);
    lead(m, &volume, "a", "c").unwrap()
}

#[test]
fn set_up_and_life() {
    sweep_on(
        site,
        "set-up",
        |_| (),
        |m, ()| {
            // An array that cannot be reached is a warning: whoever sees it sets up again.
            let report = m.call("setup", |d| d.setup())?;
            if report.warnings.is_empty() {
                Ok(())
            } else {
                m.call("setup", |d| d.setup()).map(drop)
            }
        },
    );
    sweep_on(
        site,
        "create",
        |m| m.set_up(),
        |m, ()| {
            let placement = m.call("op", |d| d.create(&three(), None))?;
            assert_eq!(placement.replication, Some(ReplicationKind::TriSync));
            Ok(())
        },
    );
    sweep_on(site, "delete", copied, |m, v| {
        m.call("op", |d| Ok(d.volumes().delete(v)?))
    });
    sweep_on(site, "clone", copied, |m, v| {
        let mut copy = three();
        copy.id = "60000000-0000-0000-0000-000000000003".to_owned();
        copy.name = format!("volume-{}", copy.id);
        m.call("op", |d| d.create(&copy, Some((v, None)))).map(drop)
    });
}

#[test]
fn journeys() {
    let outside = |m: &Memory| {
        m.set_up();
        let mut volume = connected(m, plain());
        volume.volume_type = three().volume_type;
        volume
    };
    sweep_on(site, "enable", outside, |m, v| {
        each(m.call("op", |d| d.switch(std::slice::from_ref(v), true))?)
    });
    sweep_on(site, "disable", copied, |m, v| {
        each(m.call("op", |d| d.switch(std::slice::from_ref(v), false))?)
    });
    sweep_on(site, "retype in", outside, |m, v| {
        let wanted = three().volume_type;
        m.call("op", |d| d.retype(v, wanted.as_ref())).map(drop)
    });
    sweep_on(site, "retype out", copied, |m, v| {
        m.call("op", |d| d.retype(v, None)).map(drop)
    });
    sweep_on(site, "retype to two sites", copied, |m, v| {
        let mut wanted = three().volume_type;
        if let Some(wanted) = &mut wanted {
            wanted.replication = Some(ReplicationKind::Sync);
        }
        m.call("op", |d| d.retype(v, wanted.as_ref())).map(drop)
    });
}

#[test]
fn there_and_back() {
    sweep_on(site, "to the third site", copied, |m, v| {
        lead(m, v, "a", "c").map(drop)
    });
    sweep_on(site, "to the third site, unplanned", copied, |m, v| {
        let request = plan("c", v, FailoverMode::Unplanned);
        let plan = m.call("op", |d| d.plan(&request))?;
        each(m.call("op", |d| d.fail_over(&plan, std::slice::from_ref(v)))?)
    });
    sweep_on(site, "reprotect there", away, |m, v| {
        let one = std::slice::from_ref(v);
        each(m.call("op", |d| d.reprotect(one, Some("a"), false, true))?)
    });
    let protected = |m: &Memory| {
        let volume = away(m);
        let one = std::slice::from_ref(&volume);
        m.call("away", |d| d.reprotect(one, None, false, true))
            .unwrap();
        volume
    };
    sweep_on(site, "home", protected, |m, v| {
        let home = lead(m, v, "c", "a")?;
        let one = std::slice::from_ref(&home);
        each(m.call("op", |d| d.reprotect(one, None, false, true))?)
    });
    let lost = |m: &Memory| {
        let mut volume = copied(m);
        m.power("a", false);
        m.power("b", false);
        let request = plan("c", &volume, FailoverMode::Unplanned);
        let plan = m.call("lost", |d| d.plan(&request)).unwrap();
        let one = std::slice::from_ref(&volume);
        let outcome = m
            .call("lost", |d| d.fail_over(&plan, one))
            .unwrap()
            .remove(0);
        volume.placement = Some(outcome.result.unwrap());
        m.power("a", true);
        m.power("b", true);
        m.pass(60_000);
        volume
    };
    sweep_on(site, "demote", lost, |m, v| {
        let one = std::slice::from_ref(v);
        each(m.call("op", |d| d.demote("a", one))?)?;
        each(m.call("op", |d| d.demote("b", one))?)
    });
}

#[test]
fn drills() {
    let start = |m: &Memory, v: &Volume| {
        let copies = m.call("op", |d| {
            d.start_test("7", "c", None, std::slice::from_ref(v))
        })?;
        copies
            .into_iter()
            .try_for_each(|c| c.result.map(drop).map_err(Error::from))
    };
    sweep_on(site, "drill", copied, start);
    let open = |m: &Memory| {
        let volume = copied(m);
        start(m, &volume).unwrap();
        volume
    };
    sweep_on(site, "end of a drill", open, |m, v| {
        m.call("op", |d| d.stop_test("7", "c", std::slice::from_ref(v)))
    });
    sweep_on(site, "a drill made real", open, |m, v| {
        let request = plan("c", v, FailoverMode::Unplanned);
        let plan = m.call("op", |d| d.plan(&request))?;
        each(m.call("op", |d| d.commit_test("7", &plan, std::slice::from_ref(v)))?)
    });
}
