//! LCS: the longest common subsequence of two strings.

use crate::resp::Reply;
use crate::stop::{Outcome, SYNTAX, Stop};
use crate::store::Mode;
use crate::value::Value;

use super::{Call, is_word};

/// Largest table of lengths, the limit of Redis with its default settings.
const TABLE_BYTES_MAX: usize = 512 << 20;
/// Cells that a reactor computes itself.
const QUICK_CELLS_MAX: usize = 1 << 16;

#[derive(Default)]
struct Options {
    length: bool,
    ranges: bool,
    with_lengths: bool,
    /// Shortest range that is shown.
    shortest: u64,
}

impl Options {
    fn parse(call: &Call<'_>) -> Result<Self, Stop> {
        let mut options = Self::default();
        let mut at = 3;
        while at < call.args.len() {
            let word = call.args.get(at);
            match () {
                () if is_word(word, "idx") => options.ranges = true,
                () if is_word(word, "len") => options.length = true,
                () if is_word(word, "withmatchlen") => options.with_lengths = true,
                () if is_word(word, "minmatchlen") && at + 1 < call.args.len() => {
                    at += 1;
                    options.shortest = call.integer(at)?.max(0) as u64;
                }
                () => return Err(SYNTAX),
            }
            at += 1;
        }
        if options.ranges && options.length {
            return Err(Stop::fail(
                "ERR If you want both the length and indexes, please just use IDX.",
            ));
        }
        Ok(options)
    }
}

/// `LCS key1 key2 [LEN] [IDX] [MINMATCHLEN length] [WITHMATCHLEN]`
pub fn lcs(call: &mut Call<'_>) -> Outcome {
    let keys = call.keys(1, 1)?;
    let keys = &keys[..2];
    let mut strings = [Vec::new(), Vec::new()];
    {
        let _locks = call.store.lock_all_of(call.mode, keys)?;
        for (key, string) in keys.iter().zip(&mut strings) {
            let read = |_: &mut Reply<'_>, value: Value<'_>, _| value.string().map(<[u8]>::to_vec);
            match call.look_up(key, read)? {
                Some(Ok(bytes)) => *string = bytes,
                Some(Err(_)) => {
                    return Err(Stop::fail("ERR The specified keys must contain string values"));
                }
                None => {}
            }
        }
    }
    let options = Options::parse(call)?;
    let [a, b] = &strings;
    let cells = (a.len() + 1).saturating_mul(b.len() + 1);
    if cells.saturating_mul(size_of::<u32>()) > TABLE_BYTES_MAX {
        return Err(Stop::fail(
            "ERR Insufficient memory, transient memory for LCS exceeds proto-max-bulk-len",
        ));
    }
    if call.mode == Mode::Try && cells > QUICK_CELLS_MAX {
        return Err(Stop::WouldBlock);
    }
    let table = Table::new(a, b);
    if options.length {
        call.reply.integer(i64::from(table.length()));
        return Ok(());
    }
    let (text, ranges) = table.trace();
    if options.ranges {
        reply_ranges(call, &options, &ranges, table.length());
    } else {
        call.reply.bulk(&text);
    }
    Ok(())
}

fn reply_ranges(call: &mut Call<'_>, options: &Options, ranges: &[Range], length: u32) {
    let shown: Vec<_> =
        ranges.iter().filter(|range| range.length as u64 >= options.shortest).collect();
    let reply = &mut call.reply;
    reply.map(2);
    reply.bulk(b"matches");
    reply.array(shown.len());
    for range in shown {
        reply.array(2 + usize::from(options.with_lengths));
        for start in [range.a, range.b] {
            reply.array(2);
            reply.integer(start as i64);
            reply.integer((start + range.length - 1) as i64);
        }
        if options.with_lengths {
            reply.integer(range.length as i64);
        }
    }
    reply.bulk(b"len");
    reply.integer(i64::from(length));
}

/// Equal bytes at `a` in one string and at `b` in the other.
#[derive(Clone, Copy)]
struct Range {
    a: usize,
    b: usize,
    length: usize,
}

/// Lengths of the subsequences of all prefixes.
struct Table<'s> {
    a: &'s [u8],
    b: &'s [u8],
    cells: Vec<u32>,
}

impl<'s> Table<'s> {
    fn new(a: &'s [u8], b: &'s [u8]) -> Self {
        let width = b.len() + 1;
        let mut cells = vec![0u32; (a.len() + 1) * width];
        for (row, byte) in a.iter().enumerate() {
            let (above, below) = cells[row * width..].split_at_mut(width);
            for (column, other) in b.iter().enumerate() {
                below[column + 1] = match byte == other {
                    true => above[column] + 1,
                    false => above[column + 1].max(below[column]),
                };
            }
        }
        Self { a, b, cells }
    }

    fn at(&self, i: usize, j: usize) -> u32 {
        self.cells[i * (self.b.len() + 1) + j]
    }

    fn length(&self) -> u32 {
        self.at(self.a.len(), self.b.len())
    }

    /// The subsequence, and its ranges from the last to the first.
    fn trace(&self) -> (Vec<u8>, Vec<Range>) {
        let (mut i, mut j) = (self.a.len(), self.b.len());
        let mut text = Vec::new();
        let mut ranges: Vec<Range> = Vec::new();
        while i > 0 && j > 0 {
            if self.a[i - 1] != self.b[j - 1] {
                if self.at(i - 1, j) > self.at(i, j - 1) {
                    i -= 1
                } else {
                    j -= 1
                }
                continue;
            }
            match ranges.last_mut() {
                Some(range) if (range.a, range.b) == (i, j) => {
                    *range = Range { a: i - 1, b: j - 1, length: range.length + 1 };
                }
                _ => ranges.push(Range { a: i - 1, b: j - 1, length: 1 }),
            }
            text.push(self.a[i - 1]);
            (i, j) = (i - 1, j - 1);
        }
        text.reverse();
        (text, ranges)
    }
}
