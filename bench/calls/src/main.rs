//! What one driver call costs: sandboxed, raw, native, and behind gRPC in another process.

mod array;
mod measure;
mod native;
mod plugin;
mod process;
mod raw;
mod report;

fn main() {}
