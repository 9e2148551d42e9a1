//! The end-to-end suite: the real program, real components, simulated arrays. What the tests, the demo and the
//! benchmarks have in common.

pub mod bench;
pub mod chaos;
pub mod cinder;
pub mod disk;
pub mod guests;
pub mod host;
pub mod prometheus;
pub mod site;
pub mod truth;
pub mod walk;
