//! Clocks for `clock=`: one that a test moves by hand, one whose wall time stands still.

use std::sync::Arc;

use pyo3::prelude::*;

/// Time that stands still until `advance` moves it; pass it as `clock=` to `aidb.open`.
#[pyclass(frozen, module = "aidb._core")]
pub struct ManualClock {
    /// The engine's view of it.
    pub inner: Arc<aidb_base::ManualClock>,
}

#[pymethods]
impl ManualClock {
    #[new]
    #[pyo3(signature = (now = 1_700_000_000.0))]
    fn new(now: f64) -> Self {
        Self { inner: Arc::new(aidb_base::ManualClock::at((now * 1000.0) as u64)) }
    }

    /// Seconds since the Unix epoch.
    fn now(&self) -> f64 {
        aidb_base::Clock::now_ms(&*self.inner) as f64 / 1000.0
    }

    /// Seconds since some fixed point; never goes back.
    fn monotonic(&self) -> f64 {
        self.now()
    }

    /// Moves on by a number of seconds.
    #[pyo3(signature = (seconds, /))]
    fn advance(&self, seconds: f64) {
        self.inner.advance_ms((seconds * 1000.0) as u64);
    }
}

/// Wall time that stands still while durations go on; pass it as `clock=` to `aidb.open`.
#[pyclass(frozen, module = "aidb._core")]
pub struct StandingClock {
    /// The engine's view of it.
    pub inner: Arc<aidb_base::StandingClock>,
}

#[pymethods]
impl StandingClock {
    #[new]
    #[pyo3(signature = (now_ms, /))]
    fn new(now_ms: u64) -> Self {
        Self { inner: Arc::new(aidb_base::StandingClock::at(now_ms)) }
    }
}
