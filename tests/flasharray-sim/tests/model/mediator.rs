//! Every way in which two arrays can lose each other, their power and the
//! mediator: whoever serves has every write that was ever acknowledged.

use flasharray_sim::ArrayConfig;
use flasharray_sim::core::array::ArraySpec;
use flasharray_sim::core::connection::Owner;
use flasharray_sim::core::host::HostChange;
use flasharray_sim::core::key::{ArrayIx, Home};
use flasharray_sim::core::link::LinkKind;
use flasharray_sim::core::pod::SideStatus;
use flasharray_sim::core::volume::NewVolume;
use flasharray_sim::core::world::{Settings, World};

const SIDES: [ArrayIx; 2] = [ArrayIx(0), ArrayIx(1)];

#[derive(Debug, Clone, Copy)]
pub enum Event {
    Link(bool),
    Power(usize, bool),
    /// For one array or both; and whether a lost one is noticed before the next event.
    Mediator(Option<usize>, bool, bool),
    Prefer(usize),
    Wait,
}

/// Every event there is.
pub fn all() -> Vec<Event> {
    let mut events = vec![Event::Wait, Event::Link(false), Event::Link(true)];
    for side in 0..2 {
        events.push(Event::Prefer(side));
        for on in [false, true] {
            events.push(Event::Power(side, on));
        }
    }
    for who in [None, Some(0), Some(1)] {
        events.push(Event::Mediator(who, true, true));
        events.push(Event::Mediator(who, false, true));
        events.push(Event::Mediator(who, false, false));
    }
    events
}

pub fn world() -> World {
    let specs = ["a", "b"].map(|name| ArraySpec {
        name: name.to_owned(),
        api_token: String::new(),
        purity: ArrayConfig::default().purity_version,
        rest_versions: Vec::new(),
        capacity: 1 << 40,
    });
    let mut world = World::new(specs.to_vec(), Settings::default(), 1_000_000);
    world.connect_arrays(SIDES[0], SIDES[1], LinkKind::Sync);
    world.create_pod(SIDES[0], "p").unwrap();
    let new = NewVolume {
        size: Some(1 << 20),
        ..NewVolume::default()
    };
    world.create_volume(SIDES[0], "p::v", &new).unwrap();
    world.stretch_pod(SIDES[0], "p", "b").unwrap();
    for ix in SIDES {
        world.create_host(ix, "h", &HostChange::default()).unwrap();
        let owner = Owner::Host("h".to_owned());
        world.connect(ix, &owner, "p::v", None).unwrap();
    }
    world
}

fn apply(world: &mut World, event: Event) {
    match event {
        Event::Link(up) => world.set_link(SIDES[0], SIDES[1], up).unwrap(),
        Event::Power(side, on) => world.set_power(SIDES[side], on).unwrap(),
        Event::Mediator(who, on, noticed) => {
            let who: Vec<ArrayIx> = who.map(|side| SIDES[side]).into_iter().collect();
            world.set_mediator(&who, on, noticed);
        }
        Event::Prefer(side) => {
            let name = ["a", "b"][side].to_owned();
            // An array that is dark or out of touch cannot be told.
            if let Some(ix) = SIDES.into_iter().find(|ix| world.powered(*ix)) {
                let _ = world.prefer(ix, "p", &[name]);
            }
        }
        Event::Wait => {
            let to = world.now() + 10_000;
            world.advance(to);
        }
    }
}

/// The sides that still catch up.
fn resyncing(world: &World) -> Vec<ArrayIx> {
    let side = |ix: &ArrayIx| {
        let key = world.find_pod(*ix, "p").unwrap();
        world.status_seen(key, *ix, *ix).unwrap()
    };
    SIDES
        .into_iter()
        .filter(|ix| side(ix) == SideStatus::Resyncing)
        .collect()
}

/// Applies events; after each, all who serve must have the last write, no two
/// may serve apart from each other, and one more byte is written.
pub fn check(events: &[Event]) {
    let mut world = world();
    let mut last = 0u8;
    for (n, event) in events.iter().enumerate() {
        let behind = resyncing(&world);
        apply(&mut world, *event);
        let serving: Vec<ArrayIx> = SIDES
            .into_iter()
            .filter(|ix| match world.io_read(*ix, "h", "p::v", 0, 1) {
                Ok(bytes) => {
                    assert_eq!(
                        bytes,
                        [last],
                        "side {ix:?} serves old bytes after {:?}",
                        &events[..=n]
                    );
                    true
                }
                Err(error) => {
                    assert_eq!(error.status, 503);
                    false
                }
            })
            .collect();
        if !matches!(event, Event::Wait) {
            let early = serving.iter().any(|ix| behind.contains(ix));
            assert!(
                !early,
                "one serves before it is in sync after {:?}",
                &events[..=n]
            );
        }
        if serving.len() == 2 {
            assert!(
                world.reaches(SIDES[0], SIDES[1]),
                "two serve apart after {:?}",
                &events[..=n]
            );
        }
        let next = last.wrapping_add(1);
        if let Some(ix) = serving.first() {
            world.io_write(*ix, "h", "p::v", 0, &[next]).unwrap();
            last = next;
        }
    }
    // With everything mended and a while to wait, both serve again.
    for event in [
        Event::Mediator(None, true, true),
        Event::Power(0, true),
        Event::Power(1, true),
        Event::Link(true),
        Event::Wait,
    ] {
        apply(&mut world, event);
    }
    for ix in SIDES {
        let bytes = world.io_read(ix, "h", "p::v", 0, 1);
        assert_eq!(
            bytes.unwrap(),
            [last],
            "side {ix:?} in the end, after {events:?}"
        );
        let key = world.find_pod(ix, "p").unwrap();
        assert!(world.serves(ix, Home::Pod(key)));
    }
}
