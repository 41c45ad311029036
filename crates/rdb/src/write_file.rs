//! A file as bytes, record by record.

use crate::format::{VERSION_WRITTEN, opcode};
use crate::write::{Writer, checksum};

/// Gathers records until [`FileWriter::take`] fetches their bytes.
#[derive(Debug)]
pub struct FileWriter {
    bytes: Vec<u8>,
    crc: u64,
}

impl Default for FileWriter {
    fn default() -> Self {
        Self::new()
    }
}

impl FileWriter {
    /// A file that begins with its header.
    pub fn new() -> Self {
        Self { bytes: format!("REDIS{VERSION_WRITTEN:04}").into_bytes(), crc: 0 }
    }

    fn writer(&mut self) -> Writer<'_> {
        Writer::new(&mut self.bytes, false)
    }

    /// A fact about the file.
    pub fn fact(&mut self, name: &str, value: &[u8]) {
        self.bytes.push(opcode::AUX);
        let mut out = self.writer();
        out.string(name.as_bytes());
        out.string(value);
    }

    /// The logical database from here on, and how many keys it has.
    pub fn database(&mut self, number: u64, keys: u64) {
        self.bytes.push(opcode::SELECT);
        self.writer().length(number);
        self.bytes.push(opcode::RESIZE);
        let mut out = self.writer();
        out.length(keys);
        out.length(0);
    }

    /// The code of a library of functions.
    pub fn function(&mut self, code: &[u8]) {
        self.bytes.push(opcode::FUNCTION);
        self.writer().string(code);
    }

    /// A key, its expiry (0 = never), and its type and value as [`Writer`] made them.
    pub fn key(&mut self, name: &[u8], expire_at_ms: u64, value: &[u8]) {
        if expire_at_ms != 0 {
            self.bytes.push(opcode::EXPIRE_MS);
            self.bytes.extend_from_slice(&expire_at_ms.to_le_bytes());
        }
        let Some((type_byte, value)) = value.split_first() else { return };
        self.bytes.push(*type_byte);
        self.writer().string(name);
        self.bytes.extend_from_slice(value);
    }

    /// Bytes gathered.
    pub fn len(&self) -> usize {
        self.bytes.len()
    }

    /// Whether nothing is gathered.
    pub fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    /// The bytes gathered since the last time.
    pub fn take(&mut self) -> Vec<u8> {
        self.crc = checksum(self.crc, &self.bytes);
        std::mem::take(&mut self.bytes)
    }

    /// The last bytes: everything not yet taken, and the end of the file.
    pub fn finish(mut self) -> Vec<u8> {
        self.bytes.push(opcode::END);
        let mut last = self.take();
        last.extend_from_slice(&self.crc.to_le_bytes());
        last
    }
}
