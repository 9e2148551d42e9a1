//! HTTP as the whole API speaks it: versions, errors, bodies, pages, routes.

mod api_error;
mod call;
mod dispatch;
mod fields;
mod query;
mod reply;
mod returned;
mod routes;
mod version;
mod watch;

pub use api_error::{ApiError, unknown_path};
pub use call::Call;
pub use dispatch::{Face, Inbound, RouteName, stamp};
pub(crate) use dispatch::{base, dispatch};
pub use fields::{Fields, Keys, truth};
pub use query::{MAX_LIMIT, Page, Params};
pub use reply::{Answer, bytes_of_json, empty, json, json_as, written};
pub(crate) use returned::Wrote;
pub use returned::{BodyType, Components, Content, Returned};
pub use routes::{Access, Route, Routes, Shape};
pub use version::Version;
