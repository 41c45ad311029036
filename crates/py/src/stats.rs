//! Statistics as Python dictionaries.

use std::path::PathBuf;

use aidb_engine::db::{RecoveryReport, Stats};
use aidb_engine::ingest::IngestStats;
use aidb_engine::scrub::ScrubReport;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyList};

use crate::events::pressure_name;

macro_rules! set {
    ($dict:expr, $from:expr, $($name:ident),+ $(,)?) => {
        $($dict.set_item(stringify!($name), $from.$name)?;)+
    };
}

/// The statistics of a database.
pub fn show<'py>(py: Python<'py>, stats: &Stats) -> PyResult<Bound<'py, PyDict>> {
    let shown = PyDict::new(py);
    set!(
        shown,
        stats,
        visible_seq,
        durable_seq,
        live_keys,
        memtable_bytes,
        frozen_memtables,
        blob_files,
        blob_bytes,
        blob_dead_bytes,
        cache_hits,
        cache_misses,
        cache_bytes,
        cache_capacity,
        user_bytes_written,
        log_bytes_written,
        flush_bytes_written,
        compaction_bytes_read,
        compaction_bytes_written,
        flushes,
        compactions,
        compactions_pending,
        stall_count,
        stall_ns,
        stall_max_ns,
        syncs,
        disk_bytes,
        log_bytes,
    );
    let levels = PyList::empty(py);
    for level in &stats.levels {
        let row = PyDict::new(py);
        set!(row, level, level, tables, bytes, entries);
        levels.append(row)?;
    }
    shown.set_item("levels", levels)?;
    shown.set_item("write_pressure", pressure_name(stats.write_pressure))?;
    shown.set_item("read_only_reason", stats.read_only_reason.as_deref())?;
    Ok(shown)
}

/// What an ingest took in.
pub fn show_ingest<'py>(py: Python<'py>, taken: &IngestStats) -> PyResult<Bound<'py, PyDict>> {
    let shown = PyDict::new(py);
    set!(shown, taken, entries, tables, bytes);
    Ok(shown)
}

/// What a scrub found.
pub fn show_scrub<'py>(py: Python<'py>, report: &ScrubReport) -> PyResult<Bound<'py, PyDict>> {
    let shown = PyDict::new(py);
    set!(shown, report, tables, blobs, bytes);
    let damaged: Vec<(PathBuf, &str)> =
        report.damaged.iter().map(|(path, error)| (path.clone(), error.message())).collect();
    shown.set_item("damaged", damaged)?;
    Ok(shown)
}

/// What recovery did when the database was opened.
pub fn show_recovery<'py>(
    py: Python<'py>,
    report: &RecoveryReport,
) -> PyResult<Bound<'py, PyDict>> {
    let shown = PyDict::new(py);
    set!(
        shown,
        report,
        segments,
        batches_replayed,
        batches_skipped,
        bytes_replayed,
        torn_bytes,
        flushes,
        duration_ms,
    );
    Ok(shown)
}
