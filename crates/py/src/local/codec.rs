//! Python values as arguments of commands.

use pyo3::prelude::*;
use pyo3::types::{PyBool, PyBytes, PyFloat, PyInt, PyList, PyString, PyTuple};

use crate::buffer::Raw;

/// How a connection's Python values become bytes, and its replies values.
///
/// The usual types are treated here; for the others, and for unusual text encodings, the functions of
/// redis-py are called.
#[pyclass(frozen, module = "aidb._core")]
pub struct Codec {
    encode: Py<PyAny>,
    decode: Py<PyAny>,
    pub(super) make_error: Py<PyAny>,
    /// Whether replies are text where nobody asks for bytes.
    pub(super) decodes: bool,
    is_utf8: bool,
}

#[pymethods]
impl Codec {
    #[new]
    #[pyo3(signature = (*, encode, decode, make_error, decodes, is_utf8))]
    fn new(
        encode: Py<PyAny>,
        decode: Py<PyAny>,
        make_error: Py<PyAny>,
        decodes: bool,
        is_utf8: bool,
    ) -> Self {
        Self { encode, decode, make_error, decodes, is_utf8 }
    }

    /// Commands, each a sequence of arguments, as the bytes of one request after the other.
    fn pack<'py>(
        &self,
        py: Python<'py>,
        commands: &Bound<'py, PyList>,
    ) -> PyResult<Bound<'py, PyBytes>> {
        let mut request = Vec::new();
        for command in commands {
            self.append_command(&command.cast_into::<PyTuple>()?, &mut request)?;
        }
        Ok(PyBytes::new(py, &request))
    }
}

impl Codec {
    /// Appends a request; the first argument may be several words.
    pub(super) fn append_command(
        &self,
        args: &Bound<'_, PyTuple>,
        out: &mut Vec<u8>,
    ) -> PyResult<()> {
        let start = out.len();
        let appended = self.append_all(args, out);
        if appended.is_err() {
            out.truncate(start);
        }
        appended
    }

    fn append_all(&self, args: &Bound<'_, PyTuple>, out: &mut Vec<u8>) -> PyResult<()> {
        let first = args.get_borrowed_item(0)?;
        match first.cast::<PyString>() {
            Ok(text) => append_words(text.to_str()?.as_bytes(), args.len() - 1, out),
            Err(_) => append_words(first.extract::<&[u8]>()?, args.len() - 1, out),
        }
        for arg in args.iter_borrowed().skip(1) {
            self.append(&arg, out)?;
        }
        Ok(())
    }

    #[inline]
    fn append(&self, arg: &Bound<'_, PyAny>, out: &mut Vec<u8>) -> PyResult<()> {
        if let Ok(bytes) = arg.cast_exact::<PyBytes>() {
            append_bulk(bytes.as_bytes(), out);
            return Ok(());
        }
        if let (true, Ok(text)) = (self.is_utf8, arg.cast_exact::<PyString>()) {
            if let Ok(text) = text.to_str() {
                append_bulk(text.as_bytes(), out);
                return Ok(());
            }
        }
        if let (false, Ok(number)) = (arg.is_instance_of::<PyBool>(), arg.cast_exact::<PyInt>()) {
            if let Ok(number) = number.extract::<i64>() {
                append_bulk(number.to_string().as_bytes(), out);
                return Ok(());
            }
        }
        if let Ok(number) = arg.cast_exact::<PyFloat>() {
            append_bulk(number.repr()?.to_str()?.as_bytes(), out);
            return Ok(());
        }
        let encoded = self.encode.bind(arg.py()).call1((arg,))?;
        append_bulk(encoded.extract::<Raw<'_, '_>>()?.as_bytes(), out);
        Ok(())
    }

    /// A text of a reply.
    pub(super) fn text<'py>(&self, py: Python<'py>, bytes: &[u8]) -> PyResult<Bound<'py, PyAny>> {
        match std::str::from_utf8(bytes) {
            Ok(text) if self.is_utf8 => Ok(PyString::new(py, text).into_any()),
            _ => self.decode.bind(py).call1((PyBytes::new(py, bytes),)),
        }
    }
}

/// The head of a request and the words of its name; `others` arguments follow.
fn append_words(name: &[u8], others: usize, out: &mut Vec<u8>) {
    let words = || name.split(u8::is_ascii_whitespace).filter(|word| !word.is_empty());
    append_head(b'*', words().count() + others, out);
    for word in words() {
        append_bulk(word, out);
    }
}

fn append_head(kind: u8, number: usize, out: &mut Vec<u8>) {
    out.push(kind);
    append_number(number, out);
    out.extend_from_slice(b"\r\n");
}

fn append_bulk(bytes: &[u8], out: &mut Vec<u8>) {
    out.reserve(bytes.len() + 16);
    append_head(b'$', bytes.len(), out);
    out.extend_from_slice(bytes);
    out.extend_from_slice(b"\r\n");
}

fn append_number(number: usize, out: &mut Vec<u8>) {
    if number >= 10 {
        append_number(number / 10, out);
    }
    out.push(b'0' + (number % 10) as u8);
}
