//! The database: opening, writing, reading, and the work behind them.

mod api;

pub use api::*;
