//! Means of execution for local clients, lent for one call.

use std::sync::Arc;

use parking_lot::Mutex;

use crate::conversation::Worker;
use crate::shared::Shared;

/// As many workers as calls ran at the same time.
pub(crate) struct Workers {
    pub(crate) shared: Arc<Shared>,
    idle: Mutex<Vec<Worker>>,
}

impl Workers {
    pub(crate) fn new(shared: &Arc<Shared>) -> Self {
        Self { shared: Arc::clone(shared), idle: Mutex::default() }
    }

    /// Calls `f` with a worker. One that panics is not used again.
    #[inline]
    pub(crate) fn lend<R>(&self, f: impl FnOnce(&mut Worker) -> R) -> R {
        let idle = self.idle.lock().pop();
        let mut worker = idle.unwrap_or_else(|| Worker::new(&self.shared));
        let answer = f(&mut worker);
        self.idle.lock().push(worker);
        answer
    }
}
