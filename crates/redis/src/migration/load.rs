//! RDB files into the store.

use std::io::Read;

use aidb_base::{Error, Result};
use aidb_rdb::value::decode;
use aidb_rdb::{File, Key, Kind, Record};

use super::{Importer, call, encode_key, error};
use crate::commands::restore::{Refusal, restore_value};
use crate::key::MetaKey;
use crate::store::{Access, DATABASES, LibraryChange, Mode};
use crate::value::Type;

/// What happens to a key that is there already.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Existing {
    /// The file's value takes its place.
    Replace,
    /// It stays.
    Keep,
}

/// Bytes of small values that become one commit.
const BATCH_BYTES: usize = 256 << 10;

impl Importer {
    /// Loads records until `goes_on` says no or the file ends; whether it ended. What was loaded is
    /// committed.
    ///
    /// # Errors
    /// `Corruption` and `Invalid` for bytes that cannot be read; those of the engine. What was loaded
    /// until then stays.
    pub fn load<R: Read>(
        &mut self,
        file: &mut File<R>,
        mut goes_on: impl FnMut() -> bool,
    ) -> Result<bool> {
        let mut outcome = Ok(false);
        while matches!(outcome, Ok(false)) && goes_on() {
            outcome = self.load_record(file);
        }
        self.commit(0)?;
        outcome
    }

    /// Loads one record; whether it was the end.
    fn load_record<R: Read>(&mut self, file: &mut File<R>) -> Result<bool> {
        match file.next_record()? {
            Record::End => return Ok(true),
            Record::Key(key) => self.load_key(file, &key)?,
            Record::Database(number) => self.source_database = number,
            Record::Fact(name, value) => self.report.state(name, value),
            Record::Function(text) => self.load_library(&text)?,
            Record::ModuleData(name) => {
                self.report.refuse(
                    0,
                    b"",
                    format!("data that the module {name} keeps beside keys"),
                );
            }
            Record::Sizes(..) => {}
        }
        self.commit(BATCH_BYTES)?;
        Ok(false)
    }

    fn load_key<R: Read>(&mut self, file: &mut File<R>, key: &Key) -> Result<()> {
        let database = usize::try_from(self.source_database).unwrap_or(usize::MAX);
        if database >= DATABASES {
            return self.skip(file, key, format!("logical databases end at {}", DATABASES - 1));
        }
        let place = match encode_key(&key.name) {
            Ok(place) => place,
            Err(why) => return self.skip(file, key, why),
        };
        self.session.database = database;
        if key.expire_at_ms != 0 && key.expire_at_ms <= self.store.now_ms() {
            self.report.expired += 1;
            return pass_over(file, key);
        }
        if self.existing == Existing::Keep && self.is_there(&place)? {
            self.report.kept += 1;
            return pass_over(file, key);
        }
        let (input, dialect) = file.value();
        let mut out = Vec::new();
        let (session, scratch) = (&mut self.session, &mut self.scratch);
        let mut call = call(Access::direct(&self.store), session, scratch, &mut out);
        let kind = (key.type_byte, dialect);
        match restore_value(&mut call, &place, key.expire_at_ms, input, kind) {
            Ok(()) => self.report.count(type_of(key.kind)),
            Err(Refusal::Unfit(why)) => {
                self.report.refuse(self.source_database, &key.name, why);
            }
            Err(Refusal::Format(error)) => return Err(error),
            Err(Refusal::Stop(stop)) => return Err(error(stop)),
        }
        Ok(())
    }

    fn skip<R: Read>(&mut self, file: &mut File<R>, key: &Key, why: String) -> Result<()> {
        self.report.refuse(self.source_database, &key.name, why);
        pass_over(file, key)
    }

    fn is_there(&self, place: &MetaKey) -> Result<bool> {
        let keyspace = self.store.keyspace(self.session.database);
        let found = self.store.read(Mode::Wait, keyspace, place, |_, _| ()).map_err(error)?;
        Ok(found.is_some())
    }

    /// Commits what was gathered, when that is at least so many bytes.
    fn commit(&mut self, bytes_min: usize) -> Result<()> {
        let mut out = Vec::new();
        let (session, scratch) = (&mut self.session, &mut self.scratch);
        let mut call = call(Access::direct(&self.store), session, scratch, &mut out);
        if call.staged_bytes() >= bytes_min {
            call.commit_batch().map_err(error)?;
            call.begin();
        }
        Ok(())
    }

    pub(super) fn load_library(&mut self, text: &[u8]) -> Result<()> {
        let Some(name) = library_name(text) else {
            let why = "a library of functions without the line `#!lua name=NAME`".to_owned();
            self.report.refuse(0, b"", why);
            return Ok(());
        };
        let change = LibraryChange::Put { name, text };
        self.store.change_libraries(std::iter::once(change)).map_err(error)?;
        self.report.libraries += 1;
        Ok(())
    }

    pub(super) fn flush_libraries(&mut self) -> Result<()> {
        let texts = self.store.libraries()?;
        let names = texts.iter().filter_map(|text| library_name(text));
        self.store.change_libraries(names.map(LibraryChange::Remove)).map_err(error)
    }
}

/// The name in the first line of a library in Lua.
fn library_name(text: &[u8]) -> Option<&[u8]> {
    let line = text.split(|byte| *byte == b'\n').next()?.trim_ascii();
    let mut words = line.split(|byte| *byte == b' ');
    words.next().filter(|engine| engine.eq_ignore_ascii_case(b"#!lua"))?;
    words.find_map(|word| word.strip_prefix(b"name=")).filter(|name| !name.is_empty())
}

fn pass_over<R: Read>(file: &mut File<R>, key: &Key) -> Result<()> {
    let (input, dialect) = file.value();
    decode(input, key.type_byte, dialect, |_| Ok::<_, Error>(()))
}

fn type_of(kind: Kind) -> Type {
    match kind {
        Kind::String => Type::String,
        Kind::Module => Type::Json,
        Kind::List => Type::List,
        Kind::Set => Type::Set,
        Kind::SortedSet => Type::SortedSet,
        Kind::Hash => Type::Hash,
        Kind::Stream => Type::Stream,
    }
}
