//! Damages bytes the way disks, crashes and enemies do.

use aidb_base::Rng;

/// A damaged copy of `bytes`.
pub fn mutate(bytes: &[u8], rng: &mut Rng) -> Vec<u8> {
    let mut out = bytes.to_vec();
    for _ in 0..=rng.below(3) {
        mutate_once(&mut out, rng);
    }
    out
}

fn mutate_once(out: &mut Vec<u8>, rng: &mut Rng) {
    let at = rng.below(out.len() as u64 + 1) as usize;
    let len = (1 + rng.below(16) as usize).min(out.len() - at);
    match rng.below(8) {
        0 => out.truncate(at),
        1 => out.extend((0..rng.below(40)).map(|_| 0)),
        2 => drop(out.drain(at..at + len)),
        3 => {
            let copy = out[at..at + len].to_vec();
            let to = rng.below(out.len() as u64 + 1) as usize;
            out.splice(to..to, copy);
        }
        4 => out[at..at + len].fill(if rng.below(2) == 0 { 0 } else { 0xff }),
        5 => overwrite_number(out, at, rng),
        6 => out[at..at + len].iter_mut().for_each(|byte| *byte = rng.next_u64() as u8),
        _ => {
            if let Some(byte) = out.get_mut(at) {
                *byte ^= 1 << rng.below(8);
            }
        }
    }
}

/// Lengths and counts break at their extremes.
fn overwrite_number(out: &mut [u8], at: usize, rng: &mut Rng) {
    const EXTREMES: [u64; 9] =
        [0, 1, 0x7f, 0xff, 0x7fff, 0xffff, 0x7fff_ffff, 0xffff_ffff, u64::MAX];
    let number = EXTREMES[rng.below(9) as usize].wrapping_sub(rng.below(2)).to_le_bytes();
    let width = [1, 2, 4, 8][rng.below(4) as usize];
    let end = (at + width).min(out.len());
    out[at..end].copy_from_slice(&number[..end - at]);
}
