//! `pure-async`: FlashArray volumes replicated asynchronously, as a component. A thin shell around the library.
#![cfg(target_arch = "wasm32")]

use flasharray::component::{Component, Shell};
use flasharray::layout::Kind;

struct This;

impl Shell for This {
    const KIND: Kind = Kind::Asynchronous;
}

type Driver = Component<This>;

springform_sdk::export_driver!(Driver, full, migrating);
