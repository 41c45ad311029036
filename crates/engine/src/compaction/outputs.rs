//! The files a compaction writes.

use std::path::PathBuf;

use aidb_base::{Error, FileNumber, Result, Seq};

use super::plan::CompactionPlan;
use super::run::CompactionContext;
use crate::blob::{BlobRef, BlobWriter};
use crate::entry::{Entry, Kind, RangeTombstone};
use crate::file_names::FileKind;
use crate::options::Codec;
use crate::table::{Table, TableBuilder, TableOptions};
use crate::version::{BlobMeta, TableMeta, Tree};

/// Bytes at which a blob file is closed.
const BLOB_FILE_BYTES_MAX: u64 = 256 << 20;

/// Output tables and blob files, finished and open.
pub(crate) struct Outputs<'a> {
    plan: &'a CompactionPlan,
    context: &'a CompactionContext<'a>,
    hash_seed: u64,
    rt_applied_seq: Seq,
    blob_codec: Codec,
    table: Option<(FileNumber, TableBuilder)>,
    blob: Option<(FileNumber, BlobWriter, u64)>,
    tables: Vec<TableMeta>,
    blobs: Vec<BlobMeta>,
    created: Vec<PathBuf>,
    blobs_moved: u64,
    reference: Vec<u8>,
}

impl<'a> Outputs<'a> {
    pub fn new(
        plan: &'a CompactionPlan,
        context: &'a CompactionContext<'a>,
        tree: &Tree,
        rt_applied_seq: Seq,
    ) -> Self {
        Self {
            plan,
            context,
            hash_seed: context.version.state().hash_seed,
            rt_applied_seq,
            blob_codec: tree.options.blob_codec(),
            table: None,
            blob: None,
            tables: Vec::new(),
            blobs: Vec::new(),
            created: Vec::new(),
            blobs_moved: 0,
            reference: Vec::new(),
        }
    }

    /// Bytes in the open table; 0 when none is open.
    #[inline]
    pub fn open_bytes(&self) -> u64 {
        self.table.as_ref().map_or(0, |(_, builder)| builder.bytes().max(1))
    }

    /// Appends an entry; its value moves when its blob file is to go.
    #[inline]
    pub fn add(&mut self, entry: &Entry<'_>) -> Result<()> {
        if entry.kind == Kind::Blob && !self.plan.blobs_rewritten.is_empty() {
            return self.add_blob(entry);
        }
        self.builder()?.add(entry)
    }

    #[cold]
    fn add_blob(&mut self, entry: &Entry<'_>) -> Result<()> {
        let blob = BlobRef::decode(entry.value).map_err(|error| self.damaged_reference(&error))?;
        if !self.plan.blobs_rewritten.contains(&blob.file) {
            return self.builder()?.add(entry);
        }
        let value = self.context.blobs.read_with(&blob, <[u8]>::to_vec)?;
        let moved = self.blob_writer()?.append(&value)?;
        if let Some((_, _, written)) = &mut self.blob {
            *written += value.len() as u64;
        }
        self.blobs_moved += 1;
        let mut reference = std::mem::take(&mut self.reference);
        reference.clear();
        reference.extend_from_slice(&moved.encode());
        let added = self.builder()?.add(&Entry { value: &reference, ..*entry });
        self.reference = reference;
        added
    }

    fn damaged_reference(&self, error: &Error) -> Error {
        let dir = FileKind::Table.dir(&self.context.files.dir);
        Error::corruption(&dir, 0, format!("an input of {}: {error}", self.plan))
    }

    fn builder(&mut self) -> Result<&mut TableBuilder> {
        if self.table.is_none() {
            self.table = Some(self.create_table()?);
        }
        match &mut self.table {
            Some((_, builder)) => Ok(builder),
            None => Err(Error::internal("no output table is open")),
        }
    }

    fn create_table(&mut self) -> Result<(FileNumber, TableBuilder)> {
        let files = self.context.files;
        let number = self.context.numbers.next();
        let path = files.table_path(number);
        self.created.push(path.clone());
        let options = TableOptions {
            block_bytes: self.context.options.block_bytes,
            filter_bits_per_key: self.plan.filter_bits_per_key,
            codec: self.plan.codec,
            keyspace: self.plan.keyspace,
            level: self.plan.output_level,
            hash_seed: self.hash_seed,
            uid: files.uid(number),
            rt_applied_seq: self.rt_applied_seq,
            created_ms: self.context.options.env.clock.now_ms(),
        };
        Ok((number, TableBuilder::create(&*files.vfs, &path, options)?))
    }

    fn blob_writer(&mut self) -> Result<&mut BlobWriter> {
        if self.blob.as_ref().is_some_and(|(_, _, written)| *written >= BLOB_FILE_BYTES_MAX) {
            self.close_blob()?;
        }
        if self.blob.is_none() {
            let files = self.context.files;
            let number = self.context.numbers.next();
            let path = files.blob_path(number);
            self.created.push(path.clone());
            let uid = files.uid(number);
            let writer = BlobWriter::create(&*files.vfs, &path, number, uid, self.blob_codec)?;
            self.blob = Some((number, writer, 0));
        }
        match &mut self.blob {
            Some((_, writer, _)) => Ok(writer),
            None => Err(Error::internal("no output blob file is open")),
        }
    }

    /// Finishes the open table, opens it for reading and compares what it says with what went in.
    pub fn close_table(&mut self) -> Result<()> {
        let Some((number, builder)) = self.table.take() else { return Ok(()) };
        let written = TableMeta::new(number, &builder.finish()?);
        let files = self.context.files;
        let path = files.table_path(number);
        let table = Table::open(&*files.vfs, &path, files.uid(number), files.cache.clone())?;
        let mut read = TableMeta::new(number, table.properties());
        read.digest = written.digest;
        if read != written {
            return Err(Error::corruption(&path, 0, "the table reads unlike it was written"));
        }
        self.tables.push(written);
        Ok(())
    }

    fn close_blob(&mut self) -> Result<()> {
        let Some((number, writer, _)) = self.blob.take() else { return Ok(()) };
        self.blobs.push(BlobMeta::new(number, &writer.finish()?));
        Ok(())
    }

    /// Writes a table without entries that carries `tombstones`, unless there are none.
    pub fn add_carrier(&mut self, tombstones: &[RangeTombstone]) -> Result<()> {
        if tombstones.is_empty() {
            return Ok(());
        }
        self.close_table()?;
        let builder = self.builder()?;
        tombstones.iter().for_each(|tombstone| builder.add_range_tombstone(tombstone));
        self.close_table()
    }

    /// Closes all files and makes their names durable.
    pub fn finish(&mut self) -> Result<()> {
        self.close_table()?;
        self.close_blob()?;
        let files = self.context.files;
        if !self.tables.is_empty() {
            files.vfs.sync_dir(&FileKind::Table.dir(&files.dir))?;
        }
        if !self.blobs.is_empty() {
            files.vfs.sync_dir(&FileKind::Blob.dir(&files.dir))?;
        }
        Ok(())
    }

    /// Removes every file that was begun.
    pub fn discard(&mut self) {
        (self.table, self.blob) = (None, None);
        for path in &self.created {
            // A file that stays is an orphan, which the next open deletes.
            let _ = self.context.files.vfs.remove(path);
        }
    }

    /// Finished tables.
    pub fn tables(&self) -> &[TableMeta] {
        &self.tables
    }

    /// Entries of finished tables.
    pub fn entries(&self) -> u64 {
        self.tables.iter().map(|table| table.entries).sum()
    }

    /// Bytes of finished files.
    pub fn bytes(&self) -> u64 {
        let tables: u64 = self.tables.iter().map(|table| table.bytes).sum();
        tables + self.blobs.iter().map(|blob| blob.bytes).sum::<u64>()
    }

    /// Values that went to a new blob file.
    pub fn blobs_moved(&self) -> u64 {
        self.blobs_moved
    }

    /// What the manifest is to know.
    pub fn into_metas(self) -> (Vec<TableMeta>, Vec<BlobMeta>) {
        (self.tables, self.blobs)
    }
}
