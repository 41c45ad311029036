//! What every layer of aidb shares: identifiers, error kinds, hashing, time and randomness.
//!
//! This crate does no I/O and knows nothing of tables, logs, Redis or Python. Start with
//! [`error`] (every failure has a kind and an effect) and [`ids`].

pub mod clock;
pub mod error;
pub mod hash;
pub mod ids;
pub mod limits;
pub mod rng;
pub mod slot;

pub use clock::{Clock, ManualClock, StandingClock, SystemClock};
pub use error::{Attempt, Effect, Error, ErrorKind, Result};
pub use ids::{Epoch, FileNumber, KeyspaceId, Position, Seq};
pub use rng::Rng;
