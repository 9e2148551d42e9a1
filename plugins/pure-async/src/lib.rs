//! `pure-async`: FlashArray volumes replicated asynchronously, as a component. A thin shell around the library.

#[cfg(target_arch = "wasm32")]
mod component;
