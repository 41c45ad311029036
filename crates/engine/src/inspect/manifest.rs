//! Manifests: header, one row per change of version, and the version that they add up to.

use std::path::Path;

use aidb_base::{Error, Result, hash};

use super::report::{Cell, Report, Row, uuid_text};
use crate::version::format::{self, HEADER_BYTES, RECORD_HEADER_BYTES, Record};
use crate::version::{State, VersionEdit};

pub fn describe(bytes: &[u8], path: &Path, number: u64, report: &mut Report) -> Result<()> {
    if let Some(what) = format::newer_features(bytes) {
        return Err(Error::invalid(format!(
            "{} was written by a newer aidb ({what}): use that version",
            path.display()
        )));
    }
    let uuid = match format::decode_header(bytes, number) {
        Ok(uuid) => uuid,
        Err(malformed) => {
            report.summary = "damaged header".to_owned();
            report.problem(format_args!("header at offset {}: {}", malformed.at, malformed.what));
            return Ok(());
        }
    };
    report.fact("number", number);
    report.fact("database_uuid", uuid_text(&uuid));
    let mut state = State::default();
    let edits = replay(bytes, hash::file_uid(&uuid, number), &mut state, report);
    summarize(&state, edits, report);
    Ok(())
}

/// Reports every edit and adds them up; returns their number.
fn replay(bytes: &[u8], uid: u64, state: &mut State, report: &mut Report) -> u64 {
    let (mut offset, mut edits) = (HEADER_BYTES, 0);
    loop {
        match format::read_record(bytes, uid, offset) {
            Record::End => return edits,
            Record::Torn => {
                report.fact("torn_last_record_at", offset);
                return edits;
            }
            Record::Damaged(what) => {
                report.problem(format_args!("at offset {offset}: {what}"));
                return edits;
            }
            Record::Payload(payload) => {
                match VersionEdit::decode(payload) {
                    Ok(edit) => {
                        if let Err(what) = state.apply(&edit) {
                            report.problem(format_args!("edit at offset {offset}: {what}"));
                            return edits;
                        }
                        report.row("edits", || edit_row(offset, &edit));
                    }
                    Err(malformed) => {
                        let at = offset + RECORD_HEADER_BYTES + malformed.at;
                        report.problem(format_args!("at offset {at}: {}", malformed.what));
                        return edits;
                    }
                }
                edits += 1;
                offset += format::record_bytes(payload.len());
            }
        }
    }
}

fn edit_row(offset: usize, edit: &VersionEdit) -> Row {
    let tables = |number: u64, level: u8, keyspace: u32| {
        Cell::Text(format!("{number} (level {level}, keyspace {keyspace})"))
    };
    let added = edit.added.iter().map(|it| tables(it.meta.number, it.level, it.keyspace));
    let removed = edit.removed.iter().map(|it| tables(it.number, it.level, it.keyspace));
    let keyspaces = edit.keyspaces.iter().map(|it| Cell::Text(format!("{} {:?}", it.id, it.name)));
    let dropped = edit.keyspaces_dropped.iter().map(|&id| Cell::from(id));
    let keys = edit.live_key_deltas.iter().map(|(id, by)| Cell::Text(format!("{id}: {by:+}")));
    let blobs = edit.blobs_added.iter().map(|blob| Cell::from(blob.number));
    vec![
        ("offset", offset.into()),
        ("added", list(added)),
        ("removed", list(removed)),
        ("blobs_added", list(blobs)),
        ("log_floor", edit.log_floor.into()),
        ("last_seq", edit.last_seq.into()),
        ("epoch", edit.epoch.into()),
        ("keyspaces", list(keyspaces)),
        ("keyspaces_dropped", list(dropped)),
        ("live_keys", list(keys)),
    ]
}

fn list(cells: impl Iterator<Item = Cell>) -> Cell {
    let cells: Vec<_> = cells.collect();
    if cells.is_empty() { Cell::None } else { Cell::List(cells) }
}

fn summarize(state: &State, edits: u64, report: &mut Report) {
    let tables: usize = state.trees.values().map(|tree| tree.tables.len()).sum();
    report.summary = format!(
        "{edits} edits: {tables} tables in {} keyspaces, log from segment {} on",
        state.trees.len(),
        state.log_floor
    );
    report.fact("edits", edits);
    report.fact("log_floor", state.log_floor);
    report.fact("last_seq", state.last_seq);
    report.fact("epoch", state.epoch);
    report.fact("next_file_number", state.next_file_number);
    for (id, tree) in &state.trees {
        report.row("keyspaces", || {
            vec![
                ("id", (*id).into()),
                ("name", tree.name.as_str().into()),
                ("live_keys", tree.live_keys.into()),
                ("tables", tree.tables.len().into()),
            ]
        });
        for table in tree.tables.values() {
            report.row("tables", || table_row(*id, table));
        }
    }
    for blob in state.blobs.values() {
        report.row("blobs", || {
            vec![
                ("number", blob.meta.number.into()),
                ("bytes", blob.meta.bytes.into()),
                ("live_bytes", blob.live_bytes.into()),
                ("tables", blob.tables.into()),
            ]
        });
    }
}

fn table_row(keyspace: u32, table: &crate::version::PlacedTable) -> Row {
    let meta = &table.meta;
    vec![
        ("number", meta.number.into()),
        ("keyspace", keyspace.into()),
        ("level", table.level.into()),
        ("run", table.run.into()),
        ("bytes", meta.bytes.into()),
        ("entries", meta.entries.into()),
        ("deletes", meta.deletes.into()),
        ("min_seq", meta.min_seq.into()),
        ("max_seq", meta.max_seq.into()),
        ("smallest", meta.smallest.as_slice().into()),
        ("largest", meta.largest.as_slice().into()),
    ]
}
