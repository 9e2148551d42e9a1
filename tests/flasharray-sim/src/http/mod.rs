//! HTTP around the world: a listener for each array, and one for control and I/O.

mod answer;
pub(crate) mod array;
pub(crate) mod control;
mod io;
pub(crate) mod listener;
mod out_of_band;
