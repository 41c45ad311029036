//! Glob patterns of KEYS, SCAN MATCH and CONFIG GET.
//!
//! `*` any bytes, `?` one byte, `[abc]`, `[a-c]`, `[^a]` one of a class, `\x` the byte `x`.

#[cfg(test)]
mod tests;

/// Whether `text` matches `pattern` completely.
///
/// Works in O(pattern × text) without recursion: on a mismatch the last star takes one byte more.
pub fn matches(pattern: &[u8], text: &[u8], ignore_case: bool) -> bool {
    let (mut p, mut t) = (0, 0);
    let mut star: Option<(usize, usize)> = None;
    loop {
        if p < pattern.len() && pattern[p] == b'*' {
            p += 1;
            star = Some((p, t));
            continue;
        }
        if t == text.len() {
            return p == pattern.len();
        }
        match (p < pattern.len()).then(|| step(&pattern[p..], text[t], ignore_case)).flatten() {
            Some(length) => {
                p += length;
                t += 1;
            }
            None => match &mut star {
                None => return false,
                Some((after, taken)) => {
                    *taken += 1;
                    (p, t) = (*after, *taken);
                }
            },
        }
    }
}

/// Bytes of the pattern's first element when it matches `byte`.
fn step(pattern: &[u8], byte: u8, ignore_case: bool) -> Option<usize> {
    match pattern[0] {
        b'?' => Some(1),
        b'[' => {
            let (length, hit) = class(pattern, byte, ignore_case);
            hit.then_some(length)
        }
        b'\\' if pattern.len() >= 2 => same(pattern[1], byte, ignore_case).then_some(2),
        literal => same(literal, byte, ignore_case).then_some(1),
    }
}

fn same(a: u8, b: u8, ignore_case: bool) -> bool {
    a == b || (ignore_case && a.eq_ignore_ascii_case(&b))
}

/// Length of the class at the start of `pattern`, and whether `byte` is in it. A class without end
/// reaches to the end of the pattern.
fn class(pattern: &[u8], byte: u8, ignore_case: bool) -> (usize, bool) {
    let fold = |b: u8| if ignore_case { b.to_ascii_lowercase() } else { b };
    let byte = fold(byte);
    let negated = pattern.get(1) == Some(&b'^');
    let mut at = if negated { 2 } else { 1 };
    let mut hit = false;
    loop {
        match &pattern[at..] {
            [] => return (at, hit != negated),
            [b'\\', escaped, ..] => {
                hit |= fold(*escaped) == byte;
                at += 2;
            }
            [b']', ..] => return (at + 1, hit != negated),
            [from, b'-', to, ..] => {
                let (low, high) = (fold(*from.min(to)), fold(*from.max(to)));
                hit |= (low..=high).contains(&byte);
                at += 3;
            }
            [literal, ..] => {
                hit |= fold(*literal) == byte;
                at += 1;
            }
        }
    }
}

/// The pattern's fixed beginning, for narrowing a search.
pub fn literal_prefix(pattern: &[u8]) -> &[u8] {
    let end = pattern.iter().position(|b| matches!(b, b'*' | b'?' | b'[' | b'\\'));
    &pattern[..end.unwrap_or(pattern.len())]
}
