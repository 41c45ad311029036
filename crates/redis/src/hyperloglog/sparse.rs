//! Registers as runs.

use std::ops::Range;

use super::{Damaged, HEADER_BYTES, REGISTERS};

/// Longest run of zeroes in one byte.
const ZEROES_MAX: usize = 64;
const LONG_RUN: u8 = 0x40;
const VALUE_RUN: u8 = 0x80;
/// Longest run of a value.
const VALUES_MAX: usize = 4;
const VALUE_MAX: u8 = 32;
/// Longest string that stays sparse.
const SPARSE_BYTES_MAX: usize = 3000;
/// Runs from the one before a change on that are looked at for neighbours to join.
const JOIN_RUNS: usize = 5;

/// What became of a register.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Raised {
    Yes,
    No,
    /// The change does not fit; nothing happened.
    NeedsDense,
}

/// One run.
#[derive(Clone, Copy, Debug)]
struct Run {
    len: usize,
    value: u8,
    bytes: usize,
}

fn read(bytes: &[u8]) -> Option<Run> {
    let first = *bytes.first()?;
    if first & VALUE_RUN != 0 {
        return Some(Run {
            len: usize::from(first & 3) + 1,
            value: (first >> 2 & 31) + 1,
            bytes: 1,
        });
    }
    if first & LONG_RUN == 0 {
        return Some(Run { len: usize::from(first) + 1, value: 0, bytes: 1 });
    }
    let len = (usize::from(first & 63) << 8 | usize::from(*bytes.get(1)?)) + 1;
    Some(Run { len, value: 0, bytes: 2 })
}

/// Appends a run of 1 to 16384 zeroes.
pub(super) fn push_zeroes(out: &mut Vec<u8>, len: usize) {
    let len = len.wrapping_sub(1);
    if len < ZEROES_MAX {
        out.push(len as u8);
    } else {
        out.extend_from_slice(&[LONG_RUN | (len >> 8) as u8 & 63, len as u8]);
    }
}

fn value_run(value: u8, len: usize) -> u8 {
    VALUE_RUN | (value - 1) << 2 | (len - 1) as u8
}

/// Gives every run to `f`; all of them together are all registers.
pub(super) fn each_run(bytes: &[u8], mut f: impl FnMut(Range<usize>, u8)) -> Result<(), Damaged> {
    let (mut at, mut index) = (0, 0);
    while at < bytes.len() {
        let run = read(&bytes[at..]).ok_or(Damaged)?;
        let end = index + run.len;
        if end > REGISTERS {
            return Err(Damaged);
        }
        f(index..end, run.value);
        (at, index) = (at + run.bytes, end);
    }
    if index == REGISTERS { Ok(()) } else { Err(Damaged) }
}

/// Raises a register of a whole HyperLogLog with its header.
pub(super) fn raise(bytes: &mut Vec<u8>, index: usize, value: u8) -> Result<Raised, Damaged> {
    if value > VALUE_MAX {
        return Ok(Raised::NeedsDense);
    }
    let (mut at, mut first, mut before) = (HEADER_BYTES, 0, None);
    let run = loop {
        let run = read(bytes.get(at..).unwrap_or_default()).ok_or(Damaged)?;
        if index < first + run.len {
            break run;
        }
        before = Some(at);
        at += run.bytes;
        first += run.len;
    };
    if run.value >= value {
        return Ok(Raised::No);
    }
    let (left, right) = (index - first, first + run.len - 1 - index);
    let mut runs = Vec::with_capacity(5);
    push(&mut runs, run.value, left);
    runs.push(value_run(value, 1));
    push(&mut runs, run.value, right);
    let grows = runs.len() > run.bytes;
    if grows && bytes.len() + runs.len() - run.bytes > SPARSE_BYTES_MAX {
        return Ok(Raised::NeedsDense);
    }
    bytes.splice(at..at + run.bytes, runs);
    join(bytes, before.unwrap_or(HEADER_BYTES));
    Ok(Raised::Yes)
}

fn push(out: &mut Vec<u8>, value: u8, len: usize) {
    match (value, len) {
        (_, 0) => {}
        (0, len) => push_zeroes(out, len),
        (value, len) => out.push(value_run(value, len)),
    }
}

/// Joins neighbouring runs of one value, from `at` on.
fn join(bytes: &mut Vec<u8>, mut at: usize) {
    for _ in 0..JOIN_RUNS {
        let Some(run) = bytes.get(at..).and_then(read) else { return };
        let next = bytes.get(at + run.bytes..).and_then(read);
        let joins = next.filter(|next| run.value > 0 && next.value == run.value);
        match joins {
            Some(next) if run.len + next.len <= VALUES_MAX => {
                bytes[at + 1] = value_run(run.value, run.len + next.len);
                bytes.remove(at);
            }
            _ => at += run.bytes,
        }
    }
}
