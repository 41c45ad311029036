//! Data of a Redis in and out of a database that nobody serves: what `aidb.migration` decides about.

use std::io::Read;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use aidb_base::Clock;
use aidb_engine::db::Db;
use aidb_engine::vfs::ReadFile;
use aidb_rdb::File;
use aidb_redis::migration::{
    Existing, Exporter, Importer, Phase, Progress, Report, payload_fingerprint,
};
use parking_lot::Mutex;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyDict};

use crate::buffer::Raw;
use crate::database::Database;
use crate::error::{invalid, raise};

/// Progress as Python has it: phase, logical database, offset, history, source.
type Place = (&'static str, u8, u64, String, String);

/// The same on its way in.
type NewPlace = (String, u8, u64, String, String);

const PHASES: [(&str, Phase); 3] =
    [("loading", Phase::Loading), ("following", Phase::Following), ("done", Phase::Done)];

/// Brings RDB files and replicated commands into a database that nobody serves.
#[pyclass(frozen, module = "aidb._core")]
pub struct RedisImport {
    state: Mutex<Import>,
    clock: Arc<dyn Clock>,
}

struct Import {
    importer: Importer,
    file: Option<File<Source>>,
}

/// A file of the engine's file system as a stream.
struct Source {
    file: Arc<dyn ReadFile>,
    at: u64,
}

impl Read for Source {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let left = self.file.len().saturating_sub(self.at);
        let count = usize::try_from(left).unwrap_or(usize::MAX).min(buffer.len());
        let read = self.file.read_exact_at(self.at, &mut buffer[..count]);
        read.map_err(|error| std::io::Error::other(error.to_string()))?;
        self.at += count as u64;
        Ok(count)
    }
}

#[pymethods]
impl RedisImport {
    /// Works on `database`; a key that is there is replaced, or kept.
    #[new]
    #[pyo3(signature = (database, /, *, replace))]
    fn new(database: &Bound<'_, Database>, replace: bool) -> PyResult<Self> {
        let db = opened(database)?;
        let clock: Arc<dyn Clock> = Arc::new(aidb_base::SystemClock::new());
        let existing = if replace { Existing::Replace } else { Existing::Keep };
        let importer = database.py().detach(|| Importer::new(db, existing)).map_err(raise)?;
        Ok(Self { state: Mutex::new(Import { importer, file: None }), clock })
    }

    /// Opens an RDB file to be loaded; gives the version of its format and its bytes.
    fn open(&self, py: Python<'_>, path: PathBuf) -> PyResult<(u16, u64)> {
        py.detach(|| {
            let file = aidb_engine::options::Env::default().vfs.open_read(&path)?;
            let bytes = file.len();
            let file = File::open(Source { file, at: 0 })?;
            let version = file.version();
            self.state.lock().file = Some(file);
            Ok((version, bytes))
        })
        .map_err(raise)
    }

    /// Loads from the opened file for about `seconds`; bytes read so far, and whether that was all.
    fn load(&self, py: Python<'_>, seconds: f64) -> PyResult<(u64, bool)> {
        let goes_on = self.timer(seconds)?;
        py.detach(|| {
            let Import { importer, file } = &mut *self.state.lock();
            let Some(file) = file else {
                return Err(aidb_base::Error::invalid("no file is open; call open() first"));
            };
            let is_done = importer.load(file, goes_on)?;
            Ok((file.position(), is_done))
        })
        .map_err(raise)
    }

    /// Applies replicated commands, and moves the stored progress with them; bytes used, and whether
    /// the source asked how far we are.
    fn apply(&self, py: Python<'_>, commands: Raw<'_, '_>) -> PyResult<(usize, bool)> {
        let bytes = commands.as_bytes();
        py.detach(|| {
            let importer = &mut self.state.lock().importer;
            importer.set_time(self.clock.now_ms());
            let Some(mut progress) = importer.progress()? else {
                return Err(aidb_base::Error::invalid("no import has begun; call save() first"));
            };
            let applied = importer.apply(bytes, &mut progress)?;
            Ok((applied.bytes, applied.wants_offset))
        })
        .map_err(raise)
    }

    /// Stored progress: phase, logical database, offset, history, source.
    fn progress(&self, py: Python<'_>) -> PyResult<Option<Place>> {
        let progress = py.detach(|| self.state.lock().importer.progress()).map_err(raise)?;
        Ok(progress.map(|p| {
            let name = PHASES.iter().find(|(_, phase)| *phase == p.phase);
            let name = name.map_or("loading", |(name, _)| name);
            (name, p.database, p.offset, p.history, p.source)
        }))
    }

    /// Stores progress, as `progress` gives it.
    fn save(&self, py: Python<'_>, place: NewPlace) -> PyResult<()> {
        let (phase, database, offset, history, source) = place;
        let known = PHASES.iter().find(|(name, _)| *name == phase);
        let (_, phase) = known.ok_or_else(|| invalid(format!("there is no phase {phase:?}")))?;
        let progress = Progress { phase: *phase, database, offset, history, source };
        py.detach(|| self.state.lock().importer.save(&progress)).map_err(raise)
    }

    /// Removes every key and library, and what is known of an earlier import.
    fn clear(&self, py: Python<'_>) -> PyResult<()> {
        py.detach(|| self.state.lock().importer.clear()).map_err(raise)
    }

    /// Keys of every logical database.
    fn lengths(&self, py: Python<'_>) -> PyResult<Vec<u64>> {
        py.detach(|| self.state.lock().importer.lengths()).map_err(raise)
    }

    /// Fingerprint of a key's value, or None without the key.
    fn fingerprint(
        &self,
        py: Python<'_>,
        database: usize,
        key: Raw<'_, '_>,
    ) -> PyResult<Option<u64>> {
        let key = key.as_bytes();
        py.detach(|| self.state.lock().importer.fingerprint(database, key)).map_err(raise)
    }

    /// What was imported, as a dictionary.
    fn report<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        let report = self.state.lock().importer.report().clone();
        describe(py, &report)
    }
}

impl RedisImport {
    fn timer(&self, seconds: f64) -> PyResult<impl FnMut() -> bool + use<>> {
        timer(&self.clock, seconds)
    }
}

fn opened(database: &Bound<'_, Database>) -> PyResult<Db> {
    let handle = Arc::clone(&database.as_super().get().handle);
    Ok(handle.open_db()?.clone())
}

/// Says yes for about `seconds`; reads the clock only now and then.
fn timer(clock: &Arc<dyn Clock>, seconds: f64) -> PyResult<impl FnMut() -> bool + use<>> {
    let wanted = Duration::try_from_secs_f64(seconds)
        .map_err(|_| invalid(format!("cannot work for {seconds} seconds")))?;
    let clock = Arc::clone(clock);
    let end_ns = clock.monotonic_ns().saturating_add(wanted.as_nanos() as u64);
    let mut asked = 0u32;
    Ok(move || {
        asked = asked.wrapping_add(1);
        asked % 64 != 0 || clock.monotonic_ns() < end_ns
    })
}

fn describe<'py>(py: Python<'py>, report: &Report) -> PyResult<Bound<'py, PyDict>> {
    let dict = PyDict::new(py);
    let keys = PyDict::new(py);
    for (kind, count) in report.keys() {
        keys.set_item(kind, count)?;
    }
    dict.set_item("keys", keys)?;
    dict.set_item("expired", report.expired)?;
    dict.set_item("kept", report.kept)?;
    dict.set_item("libraries", report.libraries)?;
    dict.set_item("commands", report.commands)?;
    dict.set_item("unfit", report.unfit)?;
    let shown: Vec<_> = report
        .shown
        .iter()
        .map(|unfit| (unfit.database, PyBytes::new(py, &unfit.key), unfit.why.clone()))
        .collect();
    dict.set_item("shown", shown)?;
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let facts: Vec<_> = report.facts.iter().map(|(n, v)| (text(n), text(v))).collect();
    dict.set_item("facts", facts)?;
    Ok(dict)
}

/// Writes a database that nobody serves as an RDB file.
#[pyclass(frozen, module = "aidb._core")]
pub struct RedisExport {
    exporter: Mutex<Exporter>,
    clock: Arc<dyn Clock>,
}

#[pymethods]
impl RedisExport {
    /// Begins the new file `path`; JSON documents are left out unless asked for.
    #[new]
    #[pyo3(signature = (database, path, /, *, with_json))]
    fn new(database: &Bound<'_, Database>, path: PathBuf, with_json: bool) -> PyResult<Self> {
        let db = opened(database)?;
        let clock: Arc<dyn Clock> = Arc::new(aidb_base::SystemClock::new());
        let made = database.py().detach(|| Exporter::new(db, &path, with_json));
        Ok(Self { exporter: Mutex::new(made.map_err(raise)?), clock })
    }

    /// Keys of all logical databases.
    fn total(&self, py: Python<'_>) -> PyResult<u64> {
        py.detach(|| self.exporter.lock().total()).map_err(raise)
    }

    /// Writes for about `seconds`; whether the file is complete, and durable.
    fn step(&self, py: Python<'_>, seconds: f64) -> PyResult<bool> {
        let goes_on = timer(&self.clock, seconds)?;
        py.detach(|| self.exporter.lock().step(goes_on)).map_err(raise)
    }

    /// What was written, as a dictionary.
    fn report<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        let report = self.exporter.lock().report().clone();
        describe(py, &report)
    }
}

/// Fingerprint of the value in a payload of DUMP.
#[pyfunction]
#[pyo3(signature = (payload, /))]
pub fn redis_fingerprint(py: Python<'_>, payload: Raw<'_, '_>) -> PyResult<u64> {
    let bytes = payload.as_bytes();
    py.detach(|| payload_fingerprint(bytes)).map_err(raise)
}
