//! BF.SCANDUMP and BF.LOADCHUNK: a chain in pieces. Those of RedisBloom are taken as well.
//!
//! ```text
//! piece 1   header, packed, little endian:
//!           items u64, filters u32, options u32, expansion u32, and per filter:
//!           bytes u64, bits u64, items u64, error rate f64, bits per item f64, hashes u32,
//!           capacity u64, 0 u8
//!           and 1 u8 unless the spacing is even: so RedisBloom, which knows no other, refuses it
//! piece n   bits of one filter, at most 10 MiB; the filters follow each other
//! ```
//!
//! The number that comes with a piece is 1 more than the place behind it among all bits; 0 ends.

use crate::bloom::{Filter, Spacing};
use crate::commands::Call;
use crate::number::parse_integer;
use crate::stop::{Outcome, Stop};
use crate::store::Mode;

use super::stored::{Chain, load};
use super::{NOT_FOUND, commit};

const PIECE_BYTES_MAX: u64 = 10 << 20;
const HEADER_BYTES: usize = 20;
const FILTER_BYTES: usize = 53;
/// Options that RedisBloom sets always: sizes are not rounded to powers of two, hashes have 64 bits.
const PLAIN: u32 = 1 | 4;
const NONSCALING: u32 = 8;
/// Behind a header: the spacing is not even.
const GROWING: u8 = 1;

/// `BF.SCANDUMP key iterator`
pub fn scandump(call: &mut Call<'_>) -> Outcome {
    let key = call.key(1)?;
    let at = parse_integer(call.args.get(2)).and_then(|at| u64::try_from(at).ok());
    let at = at.ok_or_else(|| Stop::fail("Second argument must be numeric"))?;
    if call.mode == Mode::Try {
        return Err(Stop::WouldBlock);
    }
    let _lock = call.lock(&key)?;
    let mut chain = load(call, &key)?.ok_or_else(|| Stop::fail(NOT_FOUND))?;
    let (next, piece) = match at {
        0 => (1, header(&chain)),
        at => match find(&chain, at - 1) {
            Some((filter, start)) => {
                let end = chain.filters[filter].bytes().min(start + PIECE_BYTES_MAX);
                (at + (end - start), chain.read(call, filter, start..end)?)
            }
            None => (0, Vec::new()),
        },
    };
    call.reply.array(2);
    call.reply.integer(next as i64);
    call.reply.bulk(&piece);
    Ok(())
}

/// The filter at a place among all bits, and the place in it.
fn find(chain: &Chain, mut at: u64) -> Option<(usize, u64)> {
    for (number, filter) in chain.filters.iter().enumerate() {
        if at < filter.bytes() {
            return Some((number, at));
        }
        at -= filter.bytes();
    }
    None
}

fn header(chain: &Chain) -> Vec<u8> {
    let options = if chain.expansion == 0 { PLAIN | NONSCALING } else { PLAIN };
    let mut bytes = chain.items().to_le_bytes().to_vec();
    for number in [chain.filters.len() as u32, options, chain.expansion] {
        bytes.extend_from_slice(&number.to_le_bytes());
    }
    for filter in &chain.filters {
        for number in [filter.bytes(), filter.bits(), filter.items] {
            bytes.extend_from_slice(&number.to_le_bytes());
        }
        for number in [filter.error_rate, filter.bits_per_item()] {
            bytes.extend_from_slice(&number.to_le_bytes());
        }
        bytes.extend_from_slice(&filter.hashes().to_le_bytes());
        bytes.extend_from_slice(&filter.capacity.to_le_bytes());
        bytes.push(0);
    }
    bytes.extend((chain.spacing == Spacing::Growing).then_some(GROWING));
    bytes
}

/// `BF.LOADCHUNK key iterator data`
pub fn loadchunk(call: &mut Call<'_>) -> Outcome {
    let key = call.key(1)?;
    let at = parse_integer(call.args.get(2)).and_then(|at| u64::try_from(at).ok());
    let at = at.ok_or_else(|| Stop::fail("ERR Second argument must be numeric"))?;
    if call.mode == Mode::Try {
        return Err(Stop::WouldBlock);
    }
    let bad = || Stop::fail("ERR received bad data");
    let piece = call.args.get(3);
    let _lock = call.lock(&key)?;
    let chain = match (load(call, &key)?, at) {
        (None, 1) => {
            let (filters, shape) = read_header(piece).ok_or_else(bad)?;
            Chain::new(call, &key, filters, shape)?
        }
        (Some(mut chain), 2..) => {
            let start = (at - 1).checked_sub(piece.len() as u64).ok_or_else(bad)?;
            let (filter, start) = find(&chain, start).ok_or_else(bad)?;
            if piece.len() as u64 > chain.filters[filter].bytes() - start {
                return Err(bad());
            }
            chain.write(call, filter, start, piece)?;
            chain
        }
        (None, _) => return Err(Stop::fail(NOT_FOUND)),
        (Some(_), _) => return Err(bad()),
    };
    commit(call, &key, &chain, "bf.loadchunk")?;
    call.reply.ok();
    Ok(())
}

/// The filters, the expansion and the spacing of a header whose sizes are those that its rates ask for.
fn read_header(bytes: &[u8]) -> Option<(Vec<Filter>, (u32, Spacing))> {
    let (bytes, spacing) = match bytes.split_last() {
        Some((&GROWING, front)) if front.len() % FILTER_BYTES == HEADER_BYTES => {
            (front, Spacing::Growing)
        }
        _ => (bytes, Spacing::Even),
    };
    let u32_at = |at: usize| Some(u32::from_le_bytes(*bytes.get(at..)?.first_chunk()?));
    let u64_at = |at: usize| Some(u64::from_le_bytes(*bytes.get(at..)?.first_chunk()?));
    let (count, options, expansion) = (u32_at(8)? as usize, u32_at(12)?, u32_at(16)?);
    if count == 0 || bytes.len() != count.checked_mul(FILTER_BYTES)?.checked_add(HEADER_BYTES)? {
        return None;
    }
    let mut filters = Vec::with_capacity(count);
    for start in (HEADER_BYTES..bytes.len()).step_by(FILTER_BYTES) {
        let filter = Filter {
            capacity: u64_at(start + 44)?,
            items: u64_at(start + 16)?,
            error_rate: f64::from_bits(u64_at(start + 24)?),
        }
        .checked()?;
        if u64_at(start)? != filter.bytes() || u64_at(start + 8)? != filter.bits() {
            return None;
        }
        filters.push(filter);
    }
    let items = filters.iter().try_fold(0u64, |sum, filter| sum.checked_add(filter.items))?;
    let is_scaling = options & NONSCALING == 0;
    let expansion = if is_scaling { expansion } else { 0 };
    let is_fine = items == u64_at(0)? && (expansion > 0 || !is_scaling);
    is_fine.then_some((filters, (expansion, spacing)))
}
