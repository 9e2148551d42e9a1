//! The words of a query, for callers that list nouns: conditions, order, page. The database behind them stays hidden.

pub use springform_store::{Direction, Filter, Order, Query, Record, Value};
