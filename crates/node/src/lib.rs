//! The data plane: sockets, connections, limits, settings and statistics around the Redis data
//! model.
//!
//! One request: a [`reactor`] thread reads what its connection sent, [`conversation`] finds the
//! commands in it and executes them one after the other, their replies gather in one buffer, and one
//! write sends it. A command that would have to wait (disk, a busy lock, back-pressure, long work)
//! goes with the rest of its connection to the [`pool`], and comes back when done, so order is kept
//! and reactors never block. With `appendfsync always` replies of a turn wait for its [`syncer`].
//! A client inside this process ([`local`]) is executed by its own thread instead.
//! This crate knows no Python; start with [`node::Node`].

mod acl;
mod blocking;
mod clients;
mod commands;
mod conversation;
mod local;
mod mailbox;
mod metrics;
pub mod node;
mod notifications;
mod observe;
mod pause;
mod pool;
mod pubsub;
mod reactor;
mod renames;
mod script;
pub mod settings;
mod shared;
mod state;
mod syncer;
mod tracking;
mod transaction;
mod transport;

pub use local::{Inbox, LocalClient, Progress};
pub use node::Node;
pub use settings::NodeOptions;
pub use shared::StopSignal;
pub use transport::{AuthClients, TlsFiles};
