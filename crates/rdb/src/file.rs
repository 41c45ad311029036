//! RDB files, record by record.

use std::io::Read;

use aidb_base::Result;

use crate::format::{Kind, VALKEY_VERSIONS, VERSION_CHECKED, damaged, opcode, unsupported};
use crate::input::{Input, Stream};
use crate::scalars::{byte, bytes, length, string};
use crate::value::{Dialect, module_name, module_value, type_byte};

/// A key and what is known of it before its value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Key {
    /// Name.
    pub name: Vec<u8>,
    /// Type of the value.
    pub type_byte: u8,
    /// Kind of that type.
    pub kind: Kind,
    /// Milliseconds since the Unix epoch; 0 = never.
    pub expire_at_ms: u64,
}

/// A record of a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Record {
    /// A fact about the file: name and value.
    Fact(Vec<u8>, Vec<u8>),
    /// The logical database of the keys that follow.
    Database(u64),
    /// How many keys, and how many of them expire, are in the logical database.
    Sizes(u64, u64),
    /// The code of a library of functions.
    Function(Vec<u8>),
    /// A module keeps something beside the keys; it was skipped.
    ModuleData(String),
    /// A key; its value must be read next, from [`File::value`].
    Key(Key),
    /// The end; the checksum was right.
    End,
}

/// A file that is being read.
#[derive(Debug)]
pub struct File<R> {
    input: Stream<R>,
    version: u16,
    dialect: Dialect,
}

impl<R: Read> File<R> {
    /// Reads the header.
    ///
    /// # Errors
    /// `Corruption` when it is none; those of the source.
    pub fn open(source: R) -> Result<Self> {
        let mut input = Stream::new(source);
        let wrong = || damaged("they do not begin like an RDB file", 0);
        let head: [u8; 9] = bytes(&mut input)?;
        let (digits, dialect) = match (head.strip_prefix(b"REDIS"), head.strip_prefix(b"VALKEY")) {
            (Some(digits), _) => (digits, Dialect::Redis),
            (None, Some(digits)) => (digits, Dialect::Valkey),
            (None, None) => return Err(wrong()),
        };
        let version = std::str::from_utf8(digits).ok().and_then(|digits| digits.parse().ok());
        let version: u16 = version.filter(|version| *version > 0).ok_or_else(wrong)?;
        let is_valkey = dialect == Dialect::Valkey || VALKEY_VERSIONS.contains(&version);
        let dialect = if is_valkey { Dialect::Valkey } else { Dialect::Redis };
        Ok(Self { input, version, dialect })
    }

    /// Version of the format.
    pub fn version(&self) -> u16 {
        self.version
    }

    /// Bytes read so far.
    pub fn position(&self) -> u64 {
        self.input.position()
    }

    /// Where the value of the key just read is, and whose types it has.
    pub fn value(&mut self) -> (&mut Stream<R>, Dialect) {
        (&mut self.input, self.dialect)
    }

    /// Reads the next record. Behind a key the value must have been read, behind the end nothing is.
    ///
    /// # Errors
    /// `Corruption`, `Invalid` for what this version cannot read, those of the source.
    pub fn next_record(&mut self) -> Result<Record> {
        let input = &mut self.input;
        let mut expire_at_ms = 0;
        loop {
            match type_byte(input)? {
                opcode::EXPIRE_MS => expire_at_ms = moment(i64::from_le_bytes(bytes(input)?)),
                opcode::EXPIRE_S => {
                    expire_at_ms = moment(i64::from(i32::from_le_bytes(bytes(input)?)) * 1000);
                }
                opcode::IDLE => drop(length(input)?),
                opcode::FREQUENCY => drop(byte(input)?),
                opcode::KEY_META if self.dialect == Dialect::Redis => skip_metadata(input)?,
                opcode::SLOT_INFO => (0..3).try_for_each(|_| length(input).map(drop))?,
                code if code >= opcode::FUNCTION => return self.special(code),
                type_byte => return self.key(type_byte, expire_at_ms),
            }
        }
    }

    fn special(&mut self, code: u8) -> Result<Record> {
        let input = &mut self.input;
        let mut text = Vec::new();
        match code {
            opcode::AUX => {
                let mut value = Vec::new();
                string(input, &mut text)?;
                string(input, &mut value)?;
                Ok(Record::Fact(text, value))
            }
            opcode::SELECT => Ok(Record::Database(length(input)?)),
            opcode::RESIZE => Ok(Record::Sizes(length(input)?, length(input)?)),
            opcode::FUNCTION => {
                string(input, &mut text)?;
                Ok(Record::Function(text))
            }
            opcode::MODULE_AUX => {
                let name = module_name(length(input)?);
                // When it is to be loaded: a number behind its mark.
                length(input)?;
                length(input)?;
                module_value(input, |_| Ok::<_, aidb_base::Error>(()))?;
                Ok(Record::ModuleData(name))
            }
            opcode::END => self.end(),
            code => Err(unsupported(&format!("the opcode {code}"), input.position())),
        }
    }

    fn key(&mut self, type_byte: u8, expire_at_ms: u64) -> Result<Record> {
        let input = &mut self.input;
        let Some(kind) = Kind::of(type_byte) else {
            let what = format!("a key of type {type_byte}");
            return Err(unsupported(&what, input.position()));
        };
        let mut name = Vec::new();
        string(input, &mut name)?;
        Ok(Record::Key(Key { name, type_byte, kind, expire_at_ms }))
    }

    fn end(&mut self) -> Result<Record> {
        if self.version >= VERSION_CHECKED {
            let expected = self.input.crc();
            let crc = u64::from_le_bytes(bytes(&mut self.input)?);
            if crc != 0 && crc != expected {
                return Err(damaged("the checksum is wrong", self.input.position()));
            }
        }
        Ok(Record::End)
    }
}

/// A time that a key has; one before the epoch is as good as its first millisecond.
fn moment(ms: i64) -> u64 {
    u64::try_from(ms).unwrap_or(0).max(1)
}

fn skip_metadata(input: &mut impl Input) -> Result<()> {
    for _ in 0..length(input)? {
        bytes::<4>(input)?;
        module_value(input, |_| Ok::<_, aidb_base::Error>(()))?;
    }
    Ok(())
}
