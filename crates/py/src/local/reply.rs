//! Replies as the Python values that redis-py makes of them.

use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyDict, PyList};

use super::codec::Codec;

/// Replies nested deeper than this are refused.
const DEPTH_MAX: usize = 256;

/// One reply.
pub(super) struct Reply<'py> {
    pub(super) value: Bound<'py, PyAny>,
    /// It belongs to no request.
    pub(super) is_push: bool,
    pub(super) is_error: bool,
    /// Its length in the output.
    pub(super) bytes: usize,
}

/// Reads the reply at the start of `output`; `None` when it is not complete.
pub(super) fn read<'py>(
    py: Python<'py>,
    codec: &Codec,
    decodes: bool,
    output: &[u8],
) -> PyResult<Option<Reply<'py>>> {
    let Some(kind) = output.first() else { return Ok(None) };
    let mut reader = Reader { py, codec, decodes, output, at: 0 };
    let Some(value) = reader.value(0)? else { return Ok(None) };
    let (is_push, is_error) = (*kind == b'>', matches!(kind, b'-' | b'!'));
    Ok(Some(Reply { value, is_push, is_error, bytes: reader.at }))
}

struct Reader<'a, 'py> {
    py: Python<'py>,
    codec: &'a Codec,
    decodes: bool,
    output: &'a [u8],
    at: usize,
}

type Read<T> = PyResult<Option<T>>;

impl<'a, 'py> Reader<'a, 'py> {
    fn line(&mut self) -> Option<&'a [u8]> {
        let rest = &self.output[self.at..];
        let end = rest.windows(2).position(|pair| pair == b"\r\n")?;
        self.at += end + 2;
        Some(&rest[..end])
    }

    fn bulk(&mut self, length: usize) -> Option<&'a [u8]> {
        let rest = self.output.get(self.at..)?;
        let bytes = rest.get(..length)?;
        rest.get(length..length + 2)?;
        self.at += length + 2;
        Some(bytes)
    }

    fn text(&self, bytes: &[u8]) -> Read<Bound<'py, PyAny>> {
        if self.decodes {
            return self.codec.text(self.py, bytes).map(Some);
        }
        Ok(Some(PyBytes::new(self.py, bytes).into_any()))
    }

    fn value(&mut self, depth: usize) -> Read<Bound<'py, PyAny>> {
        let py = self.py;
        let Some(line) = self.line() else { return Ok(None) };
        let Some((kind, line)) = line.split_first() else { return Err(broken(line)) };
        match kind {
            b'+' => self.text(line),
            b':' => Ok(Some(parse::<i64>(line)?.into_pyobject(py)?.into_any())),
            b'_' => Ok(Some(py.None().into_bound(py))),
            b',' => self.python("float", line).map(Some),
            b'(' => self.python("int", line).map(Some),
            b'#' => Ok(Some((line == b"t").into_pyobject(py)?.to_owned().into_any())),
            b'-' => self.error(line).map(Some),
            b'$' | b'=' | b'!' => {
                let length = parse::<i64>(line)?;
                let Ok(length) = usize::try_from(length) else {
                    return Ok(Some(py.None().into_bound(py)));
                };
                let Some(bytes) = self.bulk(length) else { return Ok(None) };
                match kind {
                    b'!' => self.error(bytes).map(Some),
                    // A verbatim string begins with its format and a colon.
                    b'=' => self.text(bytes.get(4..).unwrap_or_default()),
                    _ => self.text(bytes),
                }
            }
            b'*' | b'~' | b'>' => self.list(parse(line)?, depth),
            b'%' => self.map(parse(line)?, depth),
            _ => Err(broken(line)),
        }
    }

    fn list(&mut self, count: i64, depth: usize) -> Read<Bound<'py, PyAny>> {
        if count < 0 {
            return Ok(Some(self.py.None().into_bound(self.py)));
        }
        check_depth(depth)?;
        let list = PyList::empty(self.py);
        for _ in 0..count {
            let Some(value) = self.value(depth + 1)? else { return Ok(None) };
            list.append(value)?;
        }
        Ok(Some(list.into_any()))
    }

    fn map(&mut self, count: i64, depth: usize) -> Read<Bound<'py, PyAny>> {
        check_depth(depth)?;
        let map = PyDict::new(self.py);
        for _ in 0..count {
            let Some(key) = self.value(depth + 1)? else { return Ok(None) };
            let Some(value) = self.value(depth + 1)? else { return Ok(None) };
            map.set_item(key, value)?;
        }
        Ok(Some(map.into_any()))
    }

    fn error(&self, line: &[u8]) -> PyResult<Bound<'py, PyAny>> {
        self.codec.make_error.bind(self.py).call1((String::from_utf8_lossy(line),))
    }

    /// A number that Python reads by itself.
    fn python(&self, class: &str, line: &[u8]) -> PyResult<Bound<'py, PyAny>> {
        let text = String::from_utf8_lossy(line);
        self.py.import("builtins")?.getattr(class)?.call1((text,))
    }
}

fn check_depth(depth: usize) -> PyResult<()> {
    if depth < DEPTH_MAX {
        return Ok(());
    }
    Err(PyValueError::new_err(format!("a reply is nested deeper than {DEPTH_MAX} levels")))
}

fn parse<T: std::str::FromStr>(line: &[u8]) -> PyResult<T> {
    std::str::from_utf8(line).ok().and_then(|text| text.parse().ok()).ok_or_else(|| broken(line))
}

#[cold]
fn broken(line: &[u8]) -> PyErr {
    PyValueError::new_err(format!("not a reply: {:?}", String::from_utf8_lossy(line)))
}
