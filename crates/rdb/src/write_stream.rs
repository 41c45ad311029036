//! A stream as bytes: entries first, then groups, in the order of the format.

use crate::element::{EntryId, StreamFacts};
use crate::listpack::{Builder, Item};
use crate::streams::{SAME_FIELDS, item_of};
use crate::write::Writer;

/// Most entries of a block; Redis's own.
const BLOCK_ENTRIES_MAX: i64 = 100;
/// Bytes at which a block is full; Redis's own.
const BLOCK_BYTES_MAX: usize = 4096;

/// Gathers a stream's entries in blocks. The number of blocks comes first in the format, so they
/// stay in memory until [`StreamWriter::finish`].
#[derive(Debug, Default)]
pub struct StreamWriter {
    blocks: Vec<u8>,
    count: u64,
    block: Option<Block>,
}

#[derive(Debug)]
struct Block {
    first: EntryId,
    fields: Vec<Vec<u8>>,
    count: i64,
    body: Builder,
}

impl StreamWriter {
    /// Adds an entry behind all others: fields and values in turn.
    pub fn entry<'t>(&mut self, id: EntryId, texts: impl Iterator<Item = &'t [u8]>) {
        let texts: Vec<&[u8]> = texts.collect();
        let is_full = self.block.as_ref().is_some_and(Block::is_full);
        if is_full {
            self.end_block();
        }
        self.block.get_or_insert_with(|| Block::new(id, &texts)).push(id, &texts);
    }

    fn end_block(&mut self) {
        let Some(block) = self.block.take() else { return };
        self.count += 1;
        let mut out = Writer::new(&mut self.blocks, false);
        out.length(16);
        out.raw(&block.first.bytes());
        let body = block.finish();
        out.length(body.len() as u64);
        out.raw(&body);
    }

    /// Writes the entries and the facts behind them; what follows is the number of groups.
    pub fn finish(mut self, out: &mut Writer<'_>, facts: &StreamFacts) {
        self.end_block();
        out.length(self.count);
        out.raw(&self.blocks);
        out.length(facts.entries);
        for id in [facts.last, facts.first.unwrap_or_default(), facts.max_deleted] {
            out.length(id.ms);
            out.length(id.seq);
        }
        out.length(facts.added);
    }
}

impl Block {
    fn new(first: EntryId, texts: &[&[u8]]) -> Self {
        let fields = texts.iter().step_by(2).map(|field| field.to_vec()).collect();
        Self { first, fields, count: 0, body: Builder::new() }
    }

    fn is_full(&self) -> bool {
        self.count >= BLOCK_ENTRIES_MAX || self.body.len() >= BLOCK_BYTES_MAX
    }

    fn push(&mut self, id: EntryId, texts: &[&[u8]]) {
        let fields = texts.iter().step_by(2);
        let is_same = fields.len() == self.fields.len()
            && fields.zip(&self.fields).all(|(field, shared)| *field == shared.as_slice());
        let body = &mut self.body;
        body.push(Item::Number(if is_same { SAME_FIELDS } else { 0 }));
        body.push(Item::Number(id.ms.wrapping_sub(self.first.ms) as i64));
        body.push(Item::Number(id.seq.wrapping_sub(self.first.seq) as i64));
        let mut items = 3;
        if is_same {
            texts.iter().skip(1).step_by(2).for_each(|value| body.push(item_of(value)));
            items += texts.len() as i64 / 2;
        } else {
            body.push(Item::Number(texts.len() as i64 / 2));
            texts.iter().for_each(|text| body.push(item_of(text)));
            items += 1 + texts.len() as i64;
        }
        body.push(Item::Number(items));
        self.count += 1;
    }

    fn finish(self) -> Vec<u8> {
        let mut whole = Builder::new();
        whole.push(Item::Number(self.count));
        whole.push(Item::Number(0));
        whole.push(Item::Number(self.fields.len() as i64));
        self.fields.iter().for_each(|field| whole.push(item_of(field)));
        whole.push(Item::Number(0));
        whole.append(self.body);
        whole.finish()
    }
}

/// The parts of groups, in the order of the format.
impl Writer<'_> {
    /// A group, behind the number of them; what follows is the number of its pending entries.
    pub fn group(&mut self, name: &[u8], last: EntryId, read: Option<u64>) {
        self.string(name);
        self.length(last.ms);
        self.length(last.seq);
        self.length(read.unwrap_or(u64::MAX));
    }

    /// A pending entry of a group; behind them is the number of consumers.
    pub fn pending(&mut self, id: EntryId, delivered_ms: u64, deliveries: u64) {
        self.raw(&id.bytes());
        self.raw(&delivered_ms.to_le_bytes());
        self.length(deliveries);
    }

    /// A consumer; what follows is the number of its pending entries.
    pub fn consumer(&mut self, name: &[u8], seen_ms: u64) {
        self.string(name);
        self.raw(&seen_ms.to_le_bytes());
    }

    /// A pending entry of a consumer.
    pub fn owned(&mut self, id: EntryId) {
        self.raw(&id.bytes());
    }
}
