//! What a forked child must not touch.
//!
//! A child of `fork` has the parent's memory but none of its threads, and shares its files. So
//! everything that holds engine state remembers the process generation in which it was made:
//! in a later generation it refuses to work and is forgotten instead of dropped, because dropping
//! would flush, delete or unlock files that belong to the parent.

use std::sync::atomic::{AtomicU32, Ordering};

use pyo3::prelude::*;
use pyo3::types::IntoPyDict;

/// Counts the forks between the first process and this one.
static GENERATION: AtomicU32 = AtomicU32::new(0);

/// Generation of this process.
#[inline]
pub fn generation() -> u32 {
    GENERATION.load(Ordering::Relaxed)
}

/// Engine state that is forgotten, not dropped, in a forked child.
pub struct Rooted<T> {
    value: Option<T>,
    born: u32,
}

impl<T> Rooted<T> {
    /// Binds `value` to this process.
    pub fn new(value: T) -> Self {
        Self { value: Some(value), born: generation() }
    }

    /// The value, or `None` in a forked child.
    #[inline]
    pub fn get(&self) -> Option<&T> {
        if self.born == generation() { self.value.as_ref() } else { None }
    }

    /// The value, or `None` in a forked child.
    #[inline]
    pub fn get_mut(&mut self) -> Option<&mut T> {
        if self.born == generation() { self.value.as_mut() } else { None }
    }
}

impl<T> Drop for Rooted<T> {
    fn drop(&mut self) {
        if self.born != generation() {
            std::mem::forget(self.value.take());
        }
    }
}

#[pyfunction]
fn after_fork_in_child() {
    GENERATION.fetch_add(1, Ordering::Relaxed);
}

/// Has Python tell this module about forks.
pub fn register(py: Python<'_>) -> PyResult<()> {
    let hook = wrap_pyfunction!(after_fork_in_child, py)?;
    let keywords = [("after_in_child", hook)].into_py_dict(py)?;
    py.import("os")?.call_method("register_at_fork", (), Some(&keywords))?;
    Ok(())
}
