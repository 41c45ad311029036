//! The Redis data model inside this process: what `aidb.redis` gives to redis-py.
//!
//! [`RedisStore`] is an open database with a node that listens nowhere. A [`Conversation`] takes the
//! place of a socket under one connection of redis-py; a [`Caller`] executes single commands without a
//! connection. Both run commands on the calling thread: at first without waiting while the GIL is
//! held, and when that is not enough once more without the GIL. [`Codec`] turns Python values into
//! requests and replies into Python values as the connection's settings ask.

mod caller;
mod codec;
mod conversation;
mod reply;
mod store;

pub use caller::Caller;
pub use codec::Codec;
pub use conversation::Conversation;
pub use store::RedisStore;
