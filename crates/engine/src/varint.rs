//! LEB128 integers of up to 32 bits, as used inside batches and manifest edits.

/// Appends `value`.
#[inline]
pub fn push(out: &mut Vec<u8>, mut value: u32) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

/// Splits a value off the front; `None` when it is cut short or does not fit.
#[inline]
pub fn take(bytes: &[u8]) -> Option<(u32, &[u8])> {
    let mut value = 0u32;
    for (i, &byte) in bytes.iter().take(5).enumerate() {
        let part = u32::from(byte & 0x7F);
        if i == 4 && part > 0x0F {
            return None;
        }
        value |= part << (7 * i);
        if byte & 0x80 == 0 {
            return Some((value, &bytes[i + 1..]));
        }
    }
    None
}
