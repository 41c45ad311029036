//! Bloom filters without storage: how large they are, and which bits an item has.
//!
//! A chain has one filter at first and gets a larger one, with half the error rate, whenever the last
//! one is full: so the rates of all of them add up to less than the one asked for. Sizes and hashes
//! are those of RedisBloom. Where the bits of an item are is not ([`Spacing`]), unless a filter came
//! from there.

mod murmur;
#[cfg(test)]
mod tests;

use murmur::murmur;

/// Seed of the first of the two hashes; the first is the seed of the second.
const SEED: u64 = 0xc6a4_a793_5bd1_e995;
/// Each filter of a chain has this part of the error rate of the one before.
const TIGHTENING: f64 = 0.5;
/// Most bytes of one filter.
const BYTES_MAX: f64 = (1u64 << 37) as f64;

/// How the bits of an item follow each other.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Spacing {
    /// At distances that grow (Dillinger and Manolios, 2004).
    #[default]
    Growing,
    /// At one distance, as in RedisBloom. In small filters some distances lead back to the same few
    /// bits, which makes up to twice as many false positives as asked for.
    Even,
}

/// One filter of a chain.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Filter {
    /// Items that it is made for.
    pub capacity: u64,
    /// Items in it.
    pub items: u64,
    /// Rate of false positives when it is full.
    pub error_rate: f64,
}

impl Filter {
    /// The first filter of a chain; `None`: too large.
    pub fn first(error_rate: f64, capacity: u64, is_scaling: bool) -> Option<Self> {
        let error_rate = if is_scaling { error_rate * TIGHTENING } else { error_rate };
        Self { capacity, items: 0, error_rate }.checked()
    }

    /// The one that follows when this one is full; `None`: too large.
    pub fn next(&self, expansion: u32) -> Option<Self> {
        let capacity = self.capacity.checked_mul(u64::from(expansion))?;
        Self { capacity, items: 0, error_rate: self.error_rate * TIGHTENING }.checked()
    }

    /// Itself, unless no filter can be like that.
    pub fn checked(self) -> Option<Self> {
        let is_fine = self.capacity > 0
            && self.error_rate > 0.0
            && self.error_rate < 1.0
            && self.bits_per_item() * (self.capacity as f64) < 8.0 * BYTES_MAX;
        is_fine.then_some(self)
    }

    /// Whether it holds what it is made for.
    pub fn is_full(&self) -> bool {
        self.items >= self.capacity
    }

    /// Bits per item.
    pub fn bits_per_item(&self) -> f64 {
        -self.error_rate.ln() / std::f64::consts::LN_2.powi(2)
    }

    /// Bits that an item sets.
    pub fn hashes(&self) -> u32 {
        (std::f64::consts::LN_2 * self.bits_per_item()).ceil() as u32
    }

    /// Bits in all: whole words.
    pub fn bits(&self) -> u64 {
        let bits = (self.capacity as f64 * self.bits_per_item()) as u64;
        bits.div_ceil(64).max(1) * 64
    }

    /// Bytes of the bits.
    pub fn bytes(&self) -> u64 {
        self.bits() / 8
    }

    /// The places of an item's bits.
    pub fn places(&self, item: Hashed, spacing: Spacing) -> impl Iterator<Item = u64> + use<> {
        let bits = self.bits();
        let (mut place, mut distance) = (item.first, item.second);
        (1..=u64::from(self.hashes())).map(move |n| {
            let bit = place % bits;
            place = place.wrapping_add(distance);
            if spacing == Spacing::Growing {
                distance = distance.wrapping_add(n);
            }
            bit
        })
    }
}

/// An item as filters see it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Hashed {
    first: u64,
    second: u64,
}

impl Hashed {
    /// Hashes an item.
    pub fn new(item: &[u8]) -> Self {
        let first = murmur(item, SEED);
        Self { first, second: murmur(item, first) }
    }
}
