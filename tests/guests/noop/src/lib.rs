//! The driver that does nothing, quickly. Benchmarks of the host and tests of the swap load it.

/// Does what the kit does.
struct Noop;

impl guest_kit::Behaviour for Noop {
    const NAME: &'static str = "noop";
}

guest_kit::fixture!(Noop);
