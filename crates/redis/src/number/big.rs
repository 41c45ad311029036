//! Natural numbers of any size: just what converting decimal text to binary and back needs.

use std::cmp::Ordering;

/// A natural number: limbs of 32 bits, lowest first, no leading zero limb.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Natural(Vec<u32>);

impl Natural {
    pub(super) fn from_u64(value: u64) -> Self {
        Self(vec![value as u32, (value >> 32) as u32]).trimmed()
    }

    fn trimmed(mut self) -> Self {
        while self.0.last() == Some(&0) {
            self.0.pop();
        }
        self
    }

    pub(super) fn is_zero(&self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn bits(&self) -> u32 {
        let top = self.0.last().map_or(0, |limb| 32 - limb.leading_zeros());
        (self.0.len().saturating_sub(1) * 32) as u32 + top
    }

    /// `self * factor + summand`
    pub(super) fn multiply_add(&mut self, factor: u32, summand: u32) {
        let mut carry = u64::from(summand);
        for limb in &mut self.0 {
            carry += u64::from(*limb) * u64::from(factor);
            *limb = carry as u32;
            carry >>= 32;
        }
        if carry != 0 {
            self.0.push(carry as u32);
        }
    }

    pub(super) fn multiply_power_of_ten(&mut self, exponent: u32) {
        for _ in 0..exponent / 9 {
            self.multiply_add(1_000_000_000, 0);
        }
        self.multiply_add(10u32.pow(exponent % 9), 0);
    }

    pub(super) fn shift_left(&self, bits: u32) -> Self {
        let (limbs, bits) = ((bits / 32) as usize, bits % 32);
        let mut shifted = vec![0; limbs];
        let mut carry = 0u64;
        for limb in &self.0 {
            carry |= u64::from(*limb) << bits;
            shifted.push(carry as u32);
            carry >>= 32;
        }
        shifted.push(carry as u32);
        Self(shifted).trimmed()
    }

    /// The 64 bits from the top, how many were cut off below them, and whether any of those was set
    /// as (half bit, rest). Only for numbers of at least 64 bits.
    pub(super) fn top_64(&self) -> (u64, u32, bool, bool) {
        let cut = self.bits() - 64;
        let bit = |index: u32| self.0[(index / 32) as usize] >> (index % 32) & 1 == 1;
        let top = (0..64).fold(0u64, |top, i| top << 1 | u64::from(bit(cut + 63 - i)));
        let half = cut > 0 && bit(cut - 1);
        let rest = (0..cut.saturating_sub(1)).any(bit);
        (top, cut, half, rest)
    }

    /// Quotient and whether a remainder is left; the quotient must fit `u128`.
    pub(super) fn divide(&self, divisor: &Self) -> (u128, bool) {
        let mut rest = self.clone();
        let mut quotient = 0u128;
        let top = self.bits().saturating_sub(divisor.bits());
        for shift in (0..=top).rev() {
            let candidate = divisor.shift_left(shift);
            quotient <<= 1;
            if candidate.compare(&rest) != Ordering::Greater {
                rest.subtract(&candidate);
                quotient |= 1;
            }
        }
        (quotient, !rest.is_zero())
    }

    fn compare(&self, other: &Self) -> Ordering {
        let by_length = self.0.len().cmp(&other.0.len());
        by_length.then_with(|| self.0.iter().rev().cmp(other.0.iter().rev()))
    }

    /// `self - other`, which must not be greater.
    fn subtract(&mut self, other: &Self) {
        let mut borrow = 0i64;
        for (index, limb) in self.0.iter_mut().enumerate() {
            let lower = other.0.get(index).copied().unwrap_or(0);
            let difference = i64::from(*limb) - i64::from(lower) + borrow;
            *limb = difference as u32;
            borrow = difference >> 32;
        }
        while self.0.last() == Some(&0) {
            self.0.pop();
        }
    }

    pub(super) fn into_decimal(mut self) -> String {
        let mut groups = Vec::new();
        while !self.is_zero() {
            let mut rest = 0u64;
            for limb in self.0.iter_mut().rev() {
                rest = rest << 32 | u64::from(*limb);
                *limb = (rest / 1_000_000_000) as u32;
                rest %= 1_000_000_000;
            }
            self = self.trimmed();
            groups.push(rest);
        }
        let mut text = groups.pop().unwrap_or(0).to_string();
        for group in groups.iter().rev() {
            text.push_str(&format!("{group:09}"));
        }
        text
    }
}
