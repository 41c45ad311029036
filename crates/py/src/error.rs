//! Engine errors as the exception classes of `aidb.errors`.

use aidb_base::{Effect, Error, ErrorKind};
use pyo3::exceptions::PyTypeError;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::{IntoPyDict, PyDict, PyModule};

static MODULE: PyOnceLock<Py<PyModule>> = PyOnceLock::new();

/// Name of the exception class of a kind.
fn class_name(kind: ErrorKind) -> &'static str {
    match kind {
        ErrorKind::Invalid => "InvalidError",
        ErrorKind::Conflict => "ConflictError",
        ErrorKind::NotOwner => "NotOwnerError",
        ErrorKind::Unavailable => "UnavailableError",
        ErrorKind::Exhausted => "ExhaustedError",
        ErrorKind::Closed => "ClosedError",
        ErrorKind::Corruption => "CorruptionError",
        ErrorKind::Internal => "InternalError",
    }
}

/// The exception of an engine error.
#[cold]
pub fn raise(error: Error) -> PyErr {
    Python::attach(|py| build(py, &error).unwrap_or_else(|failure| failure))
}

fn build(py: Python<'_>, error: &Error) -> PyResult<PyErr> {
    let module =
        MODULE.get_or_try_init(py, || Ok::<_, PyErr>(py.import("aidb.errors")?.unbind()))?.bind(py);
    let effect = match error.effect() {
        Effect::None => "none",
        Effect::Unknown => "unknown",
    };
    let keywords: Bound<'_, PyDict> = [("effect", effect)].into_py_dict(py)?;
    let class = module.getattr(class_name(error.kind()))?;
    Ok(PyErr::from_value(class.call((error.message(),), Some(&keywords))?))
}

/// The exception of a wrong call.
#[cold]
pub fn invalid(message: impl Into<String>) -> PyErr {
    raise(Error::invalid(message))
}

/// The exception of a handle that is no longer usable.
#[cold]
pub fn closed(message: impl Into<String>) -> PyErr {
    raise(Error::closed(message))
}

/// The exception of an argument of a wrong type.
#[cold]
pub fn wrong_type(message: impl Into<String>) -> PyErr {
    PyTypeError::new_err(message.into())
}
