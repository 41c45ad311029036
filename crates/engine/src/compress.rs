//! Block compression: one call to compress if that pays, one to decompress safely.
//!
//! A compressed payload is the raw length as a little-endian `u32` followed by what the codec
//! wrote. A payload that would not become at least 12 % smaller stays raw, so that it is read in
//! place.

use std::cell::RefCell;

use crate::options::Codec;

mod lz4;
#[cfg(test)]
mod tests;

/// Longest raw block or value a decoder accepts.
pub const RAW_BYTES_MAX: usize = (512 << 20) + (1 << 20);

/// Level of Zstandard: the fastest of its regular ones.
const ZSTD_LEVEL: i32 = 1;

/// Bytes of the raw length in front of a compressed payload.
const LENGTH_BYTES: usize = 4;

/// Compresses with buffers kept between calls.
pub struct Compressor {
    lz4: lz4::Encoder,
    snappy: snap::raw::Encoder,
    zstd: Option<zstd::bulk::Compressor<'static>>,
    out: Vec<u8>,
}

impl Default for Compressor {
    fn default() -> Self {
        Self::new()
    }
}

impl Compressor {
    /// A compressor that has allocated next to nothing.
    pub fn new() -> Self {
        Self {
            lz4: lz4::Encoder::new(),
            snappy: snap::raw::Encoder::new(),
            zstd: None,
            out: Vec::new(),
        }
    }

    /// The compressed form of `raw`, or `None` when it saves less than 12 % or `codec` is `None`.
    pub fn compress(&mut self, codec: Codec, raw: &[u8]) -> Option<&[u8]> {
        if raw.is_empty() || raw.len() > RAW_BYTES_MAX {
            return None;
        }
        let bound = LENGTH_BYTES + self.bound(codec, raw.len())?;
        if self.out.len() < bound {
            self.out.resize(bound, 0);
        }
        self.out[..LENGTH_BYTES].copy_from_slice(&(raw.len() as u32).to_le_bytes());
        let written = LENGTH_BYTES + self.run(codec, raw)?;
        (written <= raw.len() - raw.len() * 12 / 100).then(|| &self.out[..written])
    }

    fn bound(&self, codec: Codec, len: usize) -> Option<usize> {
        match codec {
            Codec::None => None,
            Codec::Lz4 => Some(lz4_flex::block::get_maximum_output_size(len)),
            Codec::Snappy => Some(snap::raw::max_compress_len(len)),
            Codec::Zstd => Some(zstd::zstd_safe::compress_bound(len)),
        }
    }

    fn run(&mut self, codec: Codec, raw: &[u8]) -> Option<usize> {
        let out = &mut self.out[LENGTH_BYTES..];
        match codec {
            Codec::None => None,
            Codec::Lz4 if raw.len() <= lz4::INPUT_MAX => self.lz4.encode(raw, out),
            Codec::Lz4 => lz4_flex::block::compress_into(raw, out).ok(),
            Codec::Snappy => self.snappy.compress(raw, out).ok(),
            Codec::Zstd => {
                if self.zstd.is_none() {
                    self.zstd = zstd::bulk::Compressor::new(ZSTD_LEVEL).ok();
                }
                self.zstd.as_mut()?.compress_to_buffer(raw, out).ok()
            }
        }
    }

    /// Gives back the buffers grown by an unusually large input.
    pub fn shrink(&mut self, bytes: usize) {
        if self.out.len() > bytes {
            self.out = Vec::new();
        }
    }
}

/// The codec with number `byte`.
pub fn codec_from_u8(byte: u8) -> Option<Codec> {
    match byte {
        0 => Some(Codec::None),
        1 => Some(Codec::Lz4),
        2 => Some(Codec::Snappy),
        3 => Some(Codec::Zstd),
        _ => None,
    }
}

/// Raw length that a compressed payload announces.
fn raw_len(payload: &[u8]) -> Option<(usize, &[u8])> {
    let (length, body) = payload.split_first_chunk::<LENGTH_BYTES>()?;
    let length = u32::from_le_bytes(*length) as usize;
    // No codec here expands more than this, so a damaged length cannot ask for absurd memory.
    let plausible = body.len().saturating_mul(1 << 16);
    (length <= RAW_BYTES_MAX && length <= plausible).then_some((length, body))
}

/// Decompresses `payload` into `out`, replacing its content. `None` when the bytes are damaged.
pub fn decompress_into(codec: Codec, payload: &[u8], out: &mut Vec<u8>) -> Option<()> {
    let (length, body) = raw_len(payload)?;
    if out.len() != length {
        out.clear();
        out.resize(length, 0);
    }
    let written = match codec {
        Codec::None => None,
        Codec::Lz4 => lz4_flex::block::decompress_into(body, out).ok(),
        Codec::Snappy => match snap::raw::decompress_len(body) {
            Ok(len) if len == length => snap::raw::Decoder::new().decompress(body, out).ok(),
            _ => None,
        },
        Codec::Zstd => ZSTD.with_borrow_mut(|context| {
            if context.is_none() {
                *context = zstd::bulk::Decompressor::new().ok();
            }
            context.as_mut()?.decompress_to_buffer(body, out.as_mut_slice()).ok()
        }),
    };
    (written == Some(length)).then_some(())
}

/// Decompresses at least the first bytes of `payload` into `out`, replacing its content: as many as
/// `needed` says once it is given enough to tell (until then it says 0). `None` when the bytes are
/// damaged; damage behind what is needed may go unnoticed.
pub fn decompress_start(
    codec: Codec,
    payload: &[u8],
    needed: impl Fn(&[u8]) -> usize,
    out: &mut Vec<u8>,
) -> Option<()> {
    match codec {
        Codec::Lz4 => {
            let (length, body) = raw_len(payload)?;
            lz4::decode_start(body, length, needed, out)
        }
        _ => decompress_into(codec, payload, out),
    }
}

/// Decompresses `payload`. `None` when the bytes are damaged.
pub fn decompress(codec: Codec, payload: &[u8]) -> Option<Vec<u8>> {
    let mut out = Vec::new();
    decompress_into(codec, payload, &mut out)?;
    Some(out)
}

thread_local! {
    static ZSTD: RefCell<Option<zstd::bulk::Decompressor<'static>>> = const { RefCell::new(None) };
}
