//! How large each level should be, computed from the largest one upwards.

use super::shape::{TreeShape, bytes_of};
use crate::options::{Codec, KeyspaceOptions, Options};

/// The deepest level, where most data is.
pub const LAST_LEVEL: u8 = 6;

/// Target sizes of a keyspace's levels.
///
/// The largest level defines the scale: the level above it should be `level_fanout` times smaller,
/// and so on while that is at least `level_base_bytes`. The shallowest level reached so is the
/// *base level*: level 0 is pushed into it, shallower ones stay empty. So a small keyspace uses
/// the last level only.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Targets {
    /// Level that takes what leaves level 0.
    pub base: u8,
    /// Whether any level below 0 is used.
    is_deep: bool,
    /// Target bytes of levels 1 to 6; 0 above the base level.
    bytes: [u64; 6],
}

impl Targets {
    /// Computes the targets of `tree`.
    pub fn new(tree: &TreeShape<'_>, options: &Options) -> Self {
        let fanout = options.level_fanout.max(2);
        let base_bytes = options.level_base_bytes.max(1);
        let largest = tree.levels.iter().map(|tables| bytes_of(tables)).max().unwrap_or(0);
        let mut targets = Self { base: LAST_LEVEL, is_deep: largest > 0, bytes: [0; 6] };
        let mut size = largest.max(base_bytes);
        targets.bytes[5] = u64::MAX;
        while targets.base > 1 && size / fanout >= base_bytes {
            size /= fanout;
            targets.base -= 1;
            targets.bytes[usize::from(targets.base) - 1] = size;
        }
        let first_used = (1..=LAST_LEVEL).find(|&level| !tree.level(level).is_empty());
        targets.base = targets.base.min(first_used.unwrap_or(LAST_LEVEL));
        targets
    }

    /// Bytes that `level` (1..=5) should have at most; 0 = it should be emptied.
    pub fn bytes(&self, level: u8) -> u64 {
        self.bytes[usize::from(level) - 1]
    }

    /// Codec of tables written to `level`.
    pub fn codec(&self, level: u8, keyspace: &KeyspaceOptions, options: &Options) -> Codec {
        match level {
            0 => run_codec(self.is_deep, keyspace, options),
            _ => keyspace.compression.unwrap_or(options.codec(level)),
        }
    }
}

/// Codec of runs of level 0. While a keyspace has nothing deeper (`is_deep`), they are all of it and
/// read in place, unless level 0 has a codec of its own; later they are a small part that costs space
/// and writing.
pub(crate) fn run_codec(is_deep: bool, keyspace: &KeyspaceOptions, options: &Options) -> Codec {
    if is_deep || options.compression_levels.is_some() {
        return keyspace.compression.unwrap_or(options.codec(0));
    }
    Codec::None
}

/// Filter bits per key of tables written to `level`.
pub(crate) fn filter_bits(level: u8, options: &Options) -> u8 {
    match options.filter_bits_per_key {
        0 => 0,
        bits if level == LAST_LEVEL => bits,
        bits => bits.saturating_add(4),
    }
}
