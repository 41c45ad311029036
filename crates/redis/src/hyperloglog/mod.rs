//! HyperLogLog with the bytes and the estimates of Redis.
//!
//! ```text
//! 0..4    "HYLL"
//! 4       encoding: 0 dense, 1 sparse
//! 5..8    zero
//! 8..16   cached estimate u64 LE; top bit set: not valid
//! 16..    registers
//! dense   16384 registers of 6 bits, lowest bits first
//! sparse  runs:  00llllll            l + 1 registers of 0
//!                01llllll llllllll   l + 1 registers of 0
//!                1vvvvvll            l + 1 registers of v + 1
//! ```
//!
//! **Source**: the format of Redis 7; the estimate is Ertl's (arXiv:1702.01284).

mod estimate;
mod sparse;
#[cfg(test)]
mod tests;

pub use estimate::estimate;

/// Registers.
pub const REGISTERS: usize = 1 << INDEX_BITS;
const INDEX_BITS: u32 = 14;
/// Bits of a hash behind the index.
const RUN_BITS: u32 = 64 - INDEX_BITS;
const HEADER_BYTES: usize = 16;
const REGISTER_BITS: usize = 6;
const REGISTER_MASK: u8 = 63;
const DENSE_BYTES: usize = HEADER_BYTES + REGISTERS * REGISTER_BITS / 8;
const MAGIC: &[u8] = b"HYLL";
const ENCODING_AT: usize = 4;
const DENSE: u8 = 0;
const SPARSE: u8 = 1;
const CACHE_AT: usize = 8;
const CACHE_INVALID: u8 = 0x80;
const SEED: u64 = 0xadc8_3b19;

/// The registers cannot be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Damaged;

/// The value of one register each.
pub type Registers = [u8; REGISTERS];

/// A HyperLogLog.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HyperLogLog {
    bytes: Vec<u8>,
}

impl Default for HyperLogLog {
    /// An empty one.
    fn default() -> Self {
        let mut bytes = MAGIC.to_vec();
        bytes.extend_from_slice(&[SPARSE, 0, 0, 0]);
        bytes.extend_from_slice(&[0; 8]);
        sparse::push_zeroes(&mut bytes, REGISTERS);
        Self { bytes }
    }
}

impl HyperLogLog {
    /// Takes over a string; `None` when it is no HyperLogLog.
    pub fn from_bytes(bytes: Vec<u8>) -> Option<Self> {
        let fits = match *bytes.get(ENCODING_AT)? {
            DENSE => bytes.len() == DENSE_BYTES,
            SPARSE => bytes.len() >= HEADER_BYTES,
            _ => false,
        };
        (fits && bytes.starts_with(MAGIC)).then_some(Self { bytes })
    }

    /// The string.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Whether every register has its place.
    pub fn is_dense(&self) -> bool {
        self.bytes[ENCODING_AT] == DENSE
    }

    /// The estimate made before, unless the registers have changed.
    pub fn cached(&self) -> Option<u64> {
        let cached = u64::from_le_bytes(*self.bytes[CACHE_AT..].first_chunk()?);
        (cached >> 63 == 0).then_some(cached)
    }

    /// Keeps an estimate.
    pub fn set_cached(&mut self, estimate: u64) {
        self.bytes[CACHE_AT..HEADER_BYTES].copy_from_slice(&estimate.to_le_bytes());
    }

    /// Forgets the estimate.
    pub fn forget_cached(&mut self) {
        self.bytes[HEADER_BYTES - 1] |= CACHE_INVALID;
    }

    /// Adds an element; whether a register changed.
    ///
    /// # Errors
    /// [`Damaged`]
    pub fn add(&mut self, element: &[u8]) -> Result<bool, Damaged> {
        let (index, run) = place(element);
        self.raise(index, run)
    }

    /// Raises a register to `value`; whether it was lower.
    ///
    /// # Errors
    /// [`Damaged`]
    pub fn raise(&mut self, index: usize, value: u8) -> Result<bool, Damaged> {
        if !self.is_dense() {
            match sparse::raise(&mut self.bytes, index, value)? {
                sparse::Raised::Yes => return Ok(true),
                sparse::Raised::No => return Ok(false),
                sparse::Raised::NeedsDense => self.make_dense()?,
            }
        }
        let registers = &mut self.bytes[HEADER_BYTES..];
        if dense(registers, index) >= value {
            return Ok(false);
        }
        set_dense(registers, index, value);
        Ok(true)
    }

    /// Gives every register its place.
    ///
    /// # Errors
    /// [`Damaged`]
    pub fn make_dense(&mut self) -> Result<(), Damaged> {
        if self.is_dense() {
            return Ok(());
        }
        let mut bytes = self.bytes[..HEADER_BYTES].to_vec();
        bytes[ENCODING_AT] = DENSE;
        bytes.resize(DENSE_BYTES, 0);
        sparse::each_run(&self.bytes[HEADER_BYTES..], |registers, value| {
            if value > 0 {
                registers.for_each(|index| set_dense(&mut bytes[HEADER_BYTES..], index, value));
            }
        })?;
        self.bytes = bytes;
        Ok(())
    }

    /// Raises `registers` to those of this one.
    ///
    /// # Errors
    /// [`Damaged`]
    pub fn merge_into(&self, registers: &mut Registers) -> Result<(), Damaged> {
        let bytes = &self.bytes[HEADER_BYTES..];
        if self.is_dense() {
            for (index, register) in registers.iter_mut().enumerate() {
                *register = dense(bytes, index).max(*register);
            }
            return Ok(());
        }
        sparse::each_run(bytes, |run, value| {
            registers[run].iter_mut().for_each(|register| *register = value.max(*register));
        })
    }
}

/// The register of an element, and the value that it gives to it.
fn place(element: &[u8]) -> (usize, u8) {
    let hash = murmur(element);
    let run = (hash >> INDEX_BITS | 1 << RUN_BITS).trailing_zeros() + 1;
    (hash as usize & (REGISTERS - 1), run as u8)
}

fn dense(registers: &[u8], index: usize) -> u8 {
    let bit = index * REGISTER_BITS;
    let both = |at: usize| registers.get(at).map_or(0, |byte| u16::from(*byte));
    let window = both(bit / 8) | both(bit / 8 + 1) << 8;
    (window >> (bit % 8)) as u8 & REGISTER_MASK
}

fn set_dense(registers: &mut [u8], index: usize, value: u8) {
    let bit = index * REGISTER_BITS;
    let mask = u16::from(REGISTER_MASK) << (bit % 8);
    let value = u16::from(value & REGISTER_MASK) << (bit % 8);
    for (at, shift) in [(bit / 8, 0), (bit / 8 + 1, 8)] {
        if let Some(byte) = registers.get_mut(at) {
            *byte = *byte & !((mask >> shift) as u8) | (value >> shift) as u8;
        }
    }
}

/// MurmurHash64A with the seed of Redis.
fn murmur(data: &[u8]) -> u64 {
    const M: u64 = 0xc6a4_a793_5bd1_e995;
    const R: u32 = 47;
    let mut hash = SEED ^ (data.len() as u64).wrapping_mul(M);
    let words = data.chunks_exact(8);
    let rest = words.remainder();
    for bytes in words {
        let mut word = little_endian(bytes).wrapping_mul(M);
        word = (word ^ word >> R).wrapping_mul(M);
        hash = (hash ^ word).wrapping_mul(M);
    }
    if !rest.is_empty() {
        hash = (hash ^ little_endian(rest)).wrapping_mul(M);
    }
    hash = (hash ^ hash >> R).wrapping_mul(M);
    hash ^ hash >> R
}

fn little_endian(bytes: &[u8]) -> u64 {
    bytes.iter().rev().fold(0, |number, byte| number << 8 | u64::from(*byte))
}
