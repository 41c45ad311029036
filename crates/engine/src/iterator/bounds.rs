//! The key range of a cursor.

/// Keys from `lower` (included) up to `upper` (excluded).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Bounds {
    /// First key inside; `None` = from the start.
    pub lower: Option<Vec<u8>>,
    /// First key outside; `None` = to the end.
    pub upper: Option<Vec<u8>>,
}

impl Bounds {
    /// Every key.
    pub fn all() -> Self {
        Self::default()
    }

    /// Keys that start with `prefix`.
    pub fn prefix(prefix: &[u8]) -> Self {
        Self { lower: Some(prefix.to_vec()), upper: prefix_upper_bound(prefix) }
    }
}

/// The least key above every key that starts with `prefix`; `None` when there is no such key.
pub fn prefix_upper_bound(prefix: &[u8]) -> Option<Vec<u8>> {
    let last = prefix.iter().rposition(|&byte| byte != 0xFF)?;
    let mut bound = prefix[..=last].to_vec();
    bound[last] += 1;
    Some(bound)
}
