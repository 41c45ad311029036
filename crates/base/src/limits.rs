//! Hard limits of formats and calls. Every one has a clear error and a test.

/// Longest user key in bytes.
pub const KEY_BYTES_MAX: usize = 65_535;

/// Longest value in bytes (512 MiB, the limit of Redis).
pub const VALUE_BYTES_MAX: usize = 512 << 20;

/// Largest encoded batch in bytes.
pub const BATCH_BYTES_MAX: usize = 1 << 30;

/// Longest keyspace name in bytes.
pub const KEYSPACE_NAME_BYTES_MAX: usize = 255;

/// Most keyspaces in one database.
pub const KEYSPACES_MAX: usize = 65_536;
