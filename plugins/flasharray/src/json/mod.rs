//! JSON as it goes to arrays and comes from them. The library's reader and writer carry what an array never says or hears:
//! every digit of a fraction, and where in a document which mistake is. That is a tenth of a component.

mod read;
mod write;

pub use read::value;
pub use write::{bytes, text};

#[cfg(test)]
mod tests;
