//! Write batches: operations that become visible and durable together.
//!
//! A batch is kept in the encoding of a log record's payload, so that committing it copies bytes
//! once. The payload is a sequence of operations:
//!
//! ```text
//! tag u8        1 put, 0 delete, 3 delete range, 128 annotation; +16 when an expiry follows
//! keyspace      varint u32                    (not for annotations)
//! key length    varint u32
//! value length  varint u32                    delete range: length of end + 1, 0 = to the end
//! expiry        u64 LE, ms since the epoch    only with +16
//! key, value    bytes                         delete range: start, end; annotation: key empty
//! ```
//!
//! Within a batch a later operation on a key wins. All operations share one sequence number, and a
//! range tombstone covers only lower ones, so [`WriteBatch::delete_range`] turns earlier puts of the
//! same batch inside its range into deletes.

use aidb_base::limits::{BATCH_BYTES_MAX, KEY_BYTES_MAX, VALUE_BYTES_MAX};
use aidb_base::{Error, KeyspaceId, Result};

use crate::varint;

mod buried;
mod pairs;
#[cfg(test)]
mod tests;

pub use pairs::PairBatch;

use buried::Buried;

const TAG_DELETE: u8 = 0;
const TAG_PUT: u8 = 1;
const TAG_DELETE_RANGE: u8 = 3;
const TAG_ANNOTATION: u8 = 128;
const FLAG_EXPIRY: u8 = 16;

/// Operations to be committed atomically.
///
/// **Concurrency**: a plain value; build it on one thread.
#[derive(Clone, Debug, Default)]
pub struct WriteBatch {
    raw: Vec<u8>,
    operations: u32,
    has_range: bool,
    /// Exists once a range was deleted.
    buried: Option<Box<Buried>>,
}

/// One operation of a batch, borrowed from its payload.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operation<'a> {
    /// Store a value.
    Put {
        /// Keyspace written.
        keyspace: KeyspaceId,
        /// User key.
        key: &'a [u8],
        /// Value bytes.
        value: &'a [u8],
        /// Milliseconds since the Unix epoch; 0 = never.
        expire_at_ms: u64,
    },
    /// Remove a key; its absence is fine.
    Delete {
        /// Keyspace written.
        keyspace: KeyspaceId,
        /// User key.
        key: &'a [u8],
    },
    /// Remove every key in `start..end`.
    DeleteRange {
        /// Keyspace written.
        keyspace: KeyspaceId,
        /// First key removed.
        start: &'a [u8],
        /// First key kept; `None` = to the end of the keyspace.
        end: Option<&'a [u8]>,
    },
    /// Bytes for readers of the change feed; no effect on data.
    Annotation(&'a [u8]),
}

impl WriteBatch {
    /// An empty batch.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a put. `expire_at_ms` = 0: never expires.
    ///
    /// # Errors
    /// `Invalid` when key, value or batch exceed their limits; the batch is unchanged.
    #[inline]
    pub fn put(
        &mut self,
        keyspace: KeyspaceId,
        key: &[u8],
        value: &[u8],
        expire_at_ms: u64,
    ) -> Result<()> {
        self.check(key, value)?;
        let tag = if expire_at_ms == 0 { TAG_PUT } else { TAG_PUT | FLAG_EXPIRY };
        self.head(tag, keyspace, key.len(), value.len());
        if expire_at_ms != 0 {
            self.raw.extend_from_slice(&expire_at_ms.to_le_bytes());
        }
        self.raw.extend_from_slice(key);
        self.raw.extend_from_slice(value);
        Ok(())
    }

    /// Adds a delete.
    ///
    /// # Errors
    /// `Invalid` when key or batch exceed their limits; the batch is unchanged.
    #[inline]
    pub fn delete(&mut self, keyspace: KeyspaceId, key: &[u8]) -> Result<()> {
        self.check(key, b"")?;
        self.encode_delete(keyspace, key);
        Ok(())
    }

    #[inline]
    fn encode_delete(&mut self, keyspace: KeyspaceId, key: &[u8]) {
        self.head(TAG_DELETE, keyspace, key.len(), 0);
        self.raw.extend_from_slice(key);
    }

    /// Adds a removal of every key in `start..end` (`None` = to the end), among them those that
    /// this batch wrote before. An empty range is no operation.
    ///
    /// # Errors
    /// `Invalid` when a bound or the batch exceed their limits; the batch is unchanged.
    pub fn delete_range(
        &mut self,
        keyspace: KeyspaceId,
        start: &[u8],
        end: Option<&[u8]>,
    ) -> Result<()> {
        self.check(start, b"")?;
        self.check(end.unwrap_or_default(), b"")?;
        if end.is_some_and(|end| end <= start) {
            return Ok(());
        }
        self.buried.get_or_insert_default().cover(&self.raw, keyspace, start, end)?;
        self.head(TAG_DELETE_RANGE, keyspace, start.len(), end.map_or(0, |end| end.len() + 1));
        self.raw.extend_from_slice(start);
        self.raw.extend_from_slice(end.unwrap_or_default());
        self.has_range = true;
        Ok(())
    }

    /// Adds bytes that only readers of the change feed see.
    ///
    /// # Errors
    /// `Invalid` when the batch exceeds its limit; the batch is unchanged.
    pub fn annotate(&mut self, bytes: &[u8]) -> Result<()> {
        self.check(b"", bytes)?;
        self.grow();
        self.raw.push(TAG_ANNOTATION);
        varint::push(&mut self.raw, 0);
        varint::push(&mut self.raw, bytes.len() as u32);
        self.raw.extend_from_slice(bytes);
        Ok(())
    }

    /// Forgets every operation and keeps the memory.
    pub fn clear(&mut self) {
        self.raw.clear();
        self.buried = None;
        self.operations = 0;
        self.has_range = false;
    }

    /// Number of operations.
    pub fn len(&self) -> usize {
        self.operations as usize
    }

    /// Whether there is no operation.
    pub fn is_empty(&self) -> bool {
        self.operations == 0
    }

    /// Encoded size in bytes.
    pub fn bytes(&self) -> usize {
        self.payload().len()
    }

    /// The encoded operations.
    pub fn payload(&self) -> &[u8] {
        match &self.buried {
            None => &self.raw,
            Some(buried) => buried.payload(&self.raw),
        }
    }

    /// Whether a range tombstone is among the operations.
    pub fn has_range(&self) -> bool {
        self.has_range
    }

    /// The operations in order.
    pub fn operations(&self) -> Operations<'_> {
        Operations { rest: self.payload() }
    }

    /// A batch from an encoded payload, checked completely.
    ///
    /// # Errors
    /// `Invalid` when the payload is not a sequence of known operations.
    pub fn decode(payload: &[u8]) -> Result<Self> {
        let mut batch = Self { raw: payload.to_vec(), ..Self::default() };
        for operation in Operations::new(payload) {
            batch.has_range |= matches!(operation?, Operation::DeleteRange { .. });
            batch.operations += 1;
        }
        Ok(batch)
    }

    #[inline]
    fn grow(&mut self) {
        if let Some(buried) = &mut self.buried {
            buried.forget_rewritten();
        }
        self.operations += 1;
    }

    #[inline]
    fn head(&mut self, tag: u8, keyspace: KeyspaceId, key_len: usize, value_len: usize) {
        self.grow();
        self.raw.push(tag);
        varint::push(&mut self.raw, keyspace);
        varint::push(&mut self.raw, key_len as u32);
        varint::push(&mut self.raw, value_len as u32);
    }

    #[inline]
    fn check(&self, key: &[u8], value: &[u8]) -> Result<()> {
        check_lengths(key, value)?;
        if self.raw.len() + key.len() + value.len() > BATCH_BYTES_MAX {
            let bytes = self.raw.len() + key.len() + value.len();
            return Err(too_long("batch", bytes, BATCH_BYTES_MAX));
        }
        Ok(())
    }

    /// Appends an operation as it is.
    ///
    /// # Errors
    /// `Invalid` when it exceeds a limit.
    pub fn push(&mut self, operation: &Operation<'_>) -> Result<()> {
        match *operation {
            Operation::Put { keyspace, key, value, expire_at_ms } => {
                self.put(keyspace, key, value, expire_at_ms)
            }
            Operation::Delete { keyspace, key } => self.delete(keyspace, key),
            Operation::DeleteRange { keyspace, start, end } => {
                self.delete_range(keyspace, start, end)
            }
            Operation::Annotation(bytes) => self.annotate(bytes),
        }
    }
}

#[inline]
fn check_lengths(key: &[u8], value: &[u8]) -> Result<()> {
    if key.len() > KEY_BYTES_MAX {
        return Err(too_long("key", key.len(), KEY_BYTES_MAX));
    }
    if value.len() > VALUE_BYTES_MAX {
        return Err(too_long("value", value.len(), VALUE_BYTES_MAX));
    }
    Ok(())
}

#[cold]
fn too_long(what: &str, bytes: usize, max: usize) -> Error {
    Error::invalid(format!("{what} of {bytes} bytes exceeds the limit of {max} bytes; split it"))
}

/// Iterator over encoded operations. Ends after the first error.
#[derive(Clone, Debug)]
pub struct Operations<'a> {
    rest: &'a [u8],
}

impl<'a> Operations<'a> {
    /// The operations of an encoded payload.
    pub fn new(payload: &'a [u8]) -> Self {
        Self { rest: payload }
    }

    fn read(&mut self) -> Option<Operation<'a>> {
        let tag = self.take(1)?[0];
        if tag == TAG_ANNOTATION {
            let (key_len, len) = (self.varint()?, self.varint()?);
            return (key_len == 0)
                .then_some(())
                .and_then(|()| self.take(len as usize))
                .map(Operation::Annotation);
        }
        let keyspace = self.varint()?;
        let key_len = self.varint()? as usize;
        let value_len = self.varint()? as usize;
        let expire_at_ms = if tag & FLAG_EXPIRY != 0 {
            u64::from_le_bytes(self.take(8)?.try_into().ok()?)
        } else {
            0
        };
        let key = self.take(key_len)?;
        match tag {
            TAG_DELETE if value_len == 0 => Some(Operation::Delete { keyspace, key }),
            TAG_DELETE_RANGE => {
                let end = match value_len {
                    0 => None,
                    len => Some(self.take(len - 1)?),
                };
                Some(Operation::DeleteRange { keyspace, start: key, end })
            }
            _ if tag & !FLAG_EXPIRY == TAG_PUT => {
                let value = self.take(value_len)?;
                Some(Operation::Put { keyspace, key, value, expire_at_ms })
            }
            _ => None,
        }
    }

    #[inline]
    fn take(&mut self, len: usize) -> Option<&'a [u8]> {
        let (head, rest) = self.rest.split_at_checked(len)?;
        self.rest = rest;
        Some(head)
    }

    #[inline]
    fn varint(&mut self) -> Option<u32> {
        let (value, rest) = varint::take(self.rest)?;
        self.rest = rest;
        Some(value)
    }
}

impl<'a> Iterator for Operations<'a> {
    type Item = Result<Operation<'a>>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.rest.is_empty() {
            return None;
        }
        let length = self.rest.len();
        match self.read() {
            Some(operation) => Some(Ok(operation)),
            None => {
                self.rest = &[];
                Some(Err(Error::invalid(format!(
                    "batch payload is malformed {length} bytes before its end; it was not written \
                     by aidb"
                ))))
            }
        }
    }
}
