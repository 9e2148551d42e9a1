//! JSON as it goes to arrays and comes from them. Drivers work on `serde_json`'s values; its reader and writer carry what an
//! array never says or hears, every digit of a fraction and where in a document which mistake is, and that is a tenth of a
//! component. So miniserde reads, and a page of code writes.

mod read;
mod write;

pub use read::{names, value};
pub use write::{bytes, text};

#[cfg(test)]
mod tests;
