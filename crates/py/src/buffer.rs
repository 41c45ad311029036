//! Keys and values as they come from Python.

use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyMemoryView, PyString};

use crate::error::wrong_type;

/// Bytes of an argument: borrowed from a `bytes` object, copied once from any other buffer.
pub enum Raw<'a, 'py> {
    /// The argument was `bytes`, which never change.
    Borrowed(&'a [u8]),
    /// Copy of another buffer, which its owner might change while the GIL is released.
    Copied(Bound<'py, PyBytes>),
}

impl Raw<'_, '_> {
    /// The bytes.
    #[inline]
    pub fn as_bytes(&self) -> &[u8] {
        match self {
            Self::Borrowed(bytes) => bytes,
            Self::Copied(bytes) => bytes.as_bytes(),
        }
    }
}

impl<'a, 'py> FromPyObject<'a, 'py> for Raw<'a, 'py> {
    type Error = PyErr;

    #[inline]
    fn extract(object: Borrowed<'a, 'py, PyAny>) -> PyResult<Self> {
        match object.extract::<&'a [u8]>() {
            Ok(bytes) => Ok(Self::Borrowed(bytes)),
            Err(_) => copy(object.to_owned()),
        }
    }
}

#[cold]
fn copy<'a, 'py>(object: Bound<'py, PyAny>) -> PyResult<Raw<'a, 'py>> {
    let Ok(view) = PyMemoryView::from(&object) else {
        let kind = object.get_type().name()?;
        let remedy = if object.is_instance_of::<PyString>() {
            "encode it first, as in text.encode()"
        } else {
            "pass bytes, bytearray, memoryview or another buffer"
        };
        return Err(wrong_type(format!("keys and values are bytes, not {kind}; {remedy}")));
    };
    Ok(Raw::Copied(view.call_method0("tobytes")?.cast_into()?))
}
