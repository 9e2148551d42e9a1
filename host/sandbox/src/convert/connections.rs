//! Interface `connections`.

use springform_model::contract as model;
use zeroize::Zeroizing;

use super::{Convert, record};
use crate::bindings::exports::springform::driver::connections as wit;

impl Convert<String> for Zeroizing<String> {
    fn convert(mut self) -> String {
        std::mem::take(&mut *self)
    }
}

impl Convert<Zeroizing<String>> for String {
    fn convert(self) -> Zeroizing<String> {
        Zeroizing::new(self)
    }
}

record!(both wit::Chap, model::Chap { user, password });
record!(lower wit::Connector, model::Connector {
    host, ip, initiator, wwpns, wwnns, nqn, system_uuid, multipath, chap, extensions,
});
record!(lift wit::Path, model::Path { target, portal, port, lun, preferred });
record!(lift wit::Connection, model::Connection {
    driver_volume_type, paths, wwn, nguid, discard, chap, transport, data, extensions,
});
record!(lift wit::Disconnected, model::Disconnected { last_of_host, connection });
