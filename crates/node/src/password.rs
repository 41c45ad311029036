//! The password of the default user.

use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};

use parking_lot::Mutex;
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

/// A password that any thread checks and CONFIG SET changes. Only its digest is kept.
pub(crate) struct Password {
    is_set: AtomicBool,
    digest: Mutex<[u8; 32]>,
}

impl fmt::Debug for Password {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Password")
    }
}

impl Password {
    /// An empty text is no password.
    pub(crate) fn new(text: &str) -> Self {
        let password = Self { is_set: AtomicBool::new(false), digest: Mutex::new([0; 32]) };
        password.set(text);
        password
    }

    pub(crate) fn set(&self, text: &str) {
        *self.digest.lock() = Sha256::digest(text).into();
        self.is_set.store(!text.is_empty(), Ordering::Release);
    }

    /// Whether clients have to give one.
    pub(crate) fn is_set(&self) -> bool {
        self.is_set.load(Ordering::Acquire)
    }

    /// Whether `text` is it, in a time that says nothing about how near it comes.
    pub(crate) fn is(&self, text: &[u8]) -> bool {
        let digest: [u8; 32] = Sha256::digest(text).into();
        self.is_set() && bool::from(digest.ct_eq(&*self.digest.lock()))
    }
}
