//! A driver that lies about the last transfer of a planned move: the one after the demotion. How is its option `behaviour`.

use guest_kit::replication::FailoverPlan;
use guest_kit::types::{Context, Volume};

/// Lies.
struct Lying;

impl guest_kit::Behaviour for Lying {
    const NAME: &'static str = "lying";

    fn synced(ctx: &Context, mut plan: FailoverPlan, volumes: &[Volume]) -> FailoverPlan {
        let first = plan.volumes.iter().flat_map(|v| &v.point).all(|point| !point.id.ends_with('+'));
        if first {
            return guest_kit::transferred(plan, volumes);
        }
        match guest_kit::option(ctx, "behaviour") {
            "same" => {}
            "none" => plan.volumes.iter_mut().for_each(|v| v.point = None),
            "older" => {
                for point in plan.volumes.iter_mut().flat_map(|v| &mut v.point) {
                    "another".clone_into(&mut point.id);
                    point.taken_at -= 1;
                }
            }
            "left-out" => plan.volumes.clear(),
            "elsewhere" => plan.target = guest_kit::primary(ctx),
            "refuses" => {
                for volume in &mut plan.volumes {
                    volume.possible = false;
                    volume.reason = Some("the link is down".to_owned());
                }
            }
            _ => return guest_kit::transferred(plan, volumes),
        }
        plan
    }
}

guest_kit::fixture!(Lying);
