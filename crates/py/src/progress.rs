//! Tells a Python callable how far the replay of the log has come.

use aidb_engine::events::{Event, Listener};
use pyo3::exceptions::PyTypeError;
use pyo3::prelude::*;
use std::sync::Arc;

/// A listener that calls `callback(bytes_done, bytes_total)` for every replayed log segment. What the
/// callable raises is reported as unraisable: it must not stop a recovery.
///
/// **Concurrency**: opening runs without the GIL; it is taken for the call, on the opening thread.
/// After open the callable is never called again.
pub fn listener(callback: &Bound<'_, PyAny>) -> PyResult<Listener> {
    if !callback.is_callable() {
        return Err(PyTypeError::new_err("it is called with (bytes_done, bytes_total)"));
    }
    let callback = callback.clone().unbind();
    Ok(Arc::new(move |event: &Event| {
        let Event::RecoveryProgress { bytes_done, bytes_total } = *event else { return };
        Python::attach(|py| {
            if let Err(error) = callback.call1(py, (bytes_done, bytes_total)) {
                error.write_unraisable(py, Some(callback.bind(py)));
            }
        });
    }))
}
