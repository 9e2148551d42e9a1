//! `pure-activecluster`: FlashArray volumes stretched over two arrays, as a component. A thin shell around the library.
#![cfg(target_arch = "wasm32")]

use flasharray::component::{Component, Shell};
use flasharray::layout::Kind;

struct This;

impl Shell for This {
    const KIND: Kind = Kind::ActiveCluster;
}

type Driver = Component<This>;

springform_sdk::export_driver!(Driver, full, migrating);
