//! A file as bytes, record by record.

use crate::crc64;
use crate::format::{Kind, VERSION_WRITTEN, opcode};
use crate::write::Writer;

/// Appends records to a buffer.
#[derive(Debug)]
pub struct Records<'a> {
    out: &'a mut Vec<u8>,
}

impl<'a> Records<'a> {
    /// Appends to `out`, which may be emptied between two records once [`Checksum`] has seen it.
    pub fn new(out: &'a mut Vec<u8>) -> Self {
        Self { out }
    }

    fn writer(&mut self) -> Writer<'_> {
        Writer::new(self.out, false)
    }

    /// The beginning of every file.
    pub fn header(&mut self) {
        self.out.extend_from_slice(format!("REDIS{VERSION_WRITTEN:04}").as_bytes());
    }

    /// A fact about the file.
    pub fn fact(&mut self, name: &str, value: &[u8]) {
        self.out.push(opcode::AUX);
        let mut out = self.writer();
        out.string(name.as_bytes());
        out.string(value);
    }

    /// The logical database from here on, and how many keys it has.
    pub fn database(&mut self, number: u64, keys: u64) {
        self.out.push(opcode::SELECT);
        self.writer().length(number);
        self.out.push(opcode::RESIZE);
        let mut out = self.writer();
        out.length(keys);
        out.length(0);
    }

    /// The code of a library of functions.
    pub fn function(&mut self, code: &[u8]) {
        self.out.push(opcode::FUNCTION);
        self.writer().string(code);
    }

    /// A key and its expiry (0 = never); what follows is the value, as [`Writer`] writes it.
    pub fn key(&mut self, kind: Kind, name: &[u8], expire_at_ms: u64) {
        if expire_at_ms != 0 {
            self.out.push(opcode::EXPIRE_MS);
            self.out.extend_from_slice(&expire_at_ms.to_le_bytes());
        }
        let mut out = self.writer();
        out.kind(kind);
        out.string(name);
    }
}

/// Checksum of a file that is written in pieces.
#[derive(Clone, Copy, Debug, Default)]
pub struct Checksum(u64);

impl Checksum {
    /// Covers the next piece.
    pub fn add(&mut self, piece: &[u8]) {
        self.0 = crc64::update(self.0, piece);
    }

    /// The end of the file, behind everything that was added.
    pub fn end(mut self) -> Vec<u8> {
        let mut end = vec![opcode::END];
        self.add(&end);
        end.extend_from_slice(&self.0.to_le_bytes());
        end
    }
}
