//! Options of a database and of a namespace, from keyword arguments.
//!
//! Sizes arrive as integers and names are checked by `aidb.database`, which also suggests the
//! nearest name for an unknown one; defaults stay in `aidb_engine::options`.

use std::sync::Arc;

use aidb_engine::options::LEVELS;
use aidb_engine::{Codec, KeyspaceOptions, LogMode, Options};
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyString};

use crate::clock::{ManualClock, StandingClock};
use crate::error::{invalid, wrong_type};
use crate::handle::parse_durability;
use crate::time::ttl_ms;

/// Every option of `aidb.open`.
const NAMES: [&str; 24] = [
    "background",
    "blob_bytes_min",
    "blob_live_ratio_min",
    "block_bytes",
    "cache_bytes_max",
    "clock",
    "compression",
    "compression_bottom",
    "create_if_missing",
    "durability",
    "error_if_exists",
    "filter_bits_per_key",
    "l0_runs_slowdown",
    "l0_runs_stop",
    "l0_runs_trigger",
    "level_base_bytes",
    "level_fanout",
    "log_mode",
    "memtable_bytes_max",
    "memtables_bytes_max",
    "on_recovery_progress",
    "read_only",
    "salvage_log",
    "table_bytes_max",
];

/// Names of every option of `aidb.open`.
#[pyfunction]
pub fn option_names() -> Vec<&'static str> {
    NAMES.to_vec()
}

/// Options of a database from the keyword arguments that were given.
pub fn parse(given: &Bound<'_, PyDict>) -> PyResult<Options> {
    let mut options = Options::default();
    for (name, value) in given {
        let name = name.cast::<PyString>()?.to_string();
        set(&mut options, &name, &value).map_err(|error| explain(&name, &value, error))?;
    }
    Ok(options)
}

fn set(options: &mut Options, name: &str, value: &Bound<'_, PyAny>) -> PyResult<()> {
    match name {
        "background" => options.background = value.extract()?,
        "blob_bytes_min" => options.blob_bytes_min = value.extract()?,
        "blob_live_ratio_min" => options.blob_live_ratio_min = value.extract()?,
        "block_bytes" => options.block_bytes = value.extract()?,
        "cache_bytes_max" => options.cache_bytes_max = value.extract()?,
        "clock" => {
            options.env.clock = match value.cast::<StandingClock>() {
                Ok(clock) => Arc::clone(&clock.get().inner) as _,
                Err(_) => Arc::clone(&value.cast::<ManualClock>()?.get().inner) as _,
            };
        }
        "compression" => set_compression(options, value)?,
        "compression_bottom" => options.compression_bottom = parse_codec(value)?,
        "create_if_missing" => options.create_if_missing = value.extract()?,
        "durability" => options.durability = parse_durability(value.extract()?)?,
        "error_if_exists" => options.error_if_exists = value.extract()?,
        "filter_bits_per_key" => options.filter_bits_per_key = value.extract()?,
        "l0_runs_slowdown" => options.l0_runs_slowdown = value.extract()?,
        "l0_runs_stop" => options.l0_runs_stop = value.extract()?,
        "l0_runs_trigger" => options.l0_runs_trigger = value.extract()?,
        "level_base_bytes" => options.level_base_bytes = value.extract()?,
        "level_fanout" => options.level_fanout = value.extract()?,
        "log_mode" => options.log_mode = parse_log_mode(value)?,
        "memtable_bytes_max" => options.memtable_bytes_max = value.extract()?,
        "memtables_bytes_max" => options.memtables_bytes_max = value.extract()?,
        "on_recovery_progress" => {
            options.listener =
                if value.is_none() { None } else { Some(crate::progress::listener(value)?) };
        }
        "read_only" => options.read_only = value.extract()?,
        "salvage_log" => options.salvage_log = value.extract()?,
        "table_bytes_max" => options.table_bytes_max = value.extract()?,
        _ => return Err(wrong_type(format!("there is no option {name:?}"))),
    }
    Ok(())
}

/// A codec for the levels above the last one, or a list of one for each level.
fn set_compression(options: &mut Options, value: &Bound<'_, PyAny>) -> PyResult<()> {
    if value.is_instance_of::<PyString>() {
        options.compression = parse_codec(value)?;
        return Ok(());
    }
    let codecs: Vec<Codec> =
        value.try_iter()?.map(|codec| parse_codec(&codec?)).collect::<PyResult<_>>()?;
    let count = codecs.len();
    let codecs = codecs.try_into().map_err(|_| {
        invalid(format!("compression lists {count} codecs; there are levels 0 to {}", LEVELS - 1))
    })?;
    options.compression_levels = Some(codecs);
    Ok(())
}

/// Says which option a conversion error is about.
fn explain(name: &str, value: &Bound<'_, PyAny>, error: PyErr) -> PyErr {
    let py = value.py();
    let shown = value.repr().map_or_else(|_| "the value".to_owned(), |text| text.to_string());
    if error.is_instance_of::<pyo3::exceptions::PyOverflowError>(py) {
        return invalid(format!("{name}={shown} is out of range"));
    }
    if error.is_instance_of::<pyo3::exceptions::PyTypeError>(py) {
        return wrong_type(format!("{name}={shown}: {}", error.value(py)));
    }
    error
}

fn parse_log_mode(value: &Bound<'_, PyAny>) -> PyResult<LogMode> {
    match value.extract()? {
        "auto" => Ok(LogMode::Auto),
        "mapped" => Ok(LogMode::Mapped),
        "append" => Ok(LogMode::Append),
        other => {
            Err(invalid(format!("log_mode is \"auto\", \"mapped\" or \"append\", not {other:?}")))
        }
    }
}

/// A codec by name.
pub fn parse_codec(value: &Bound<'_, PyAny>) -> PyResult<Codec> {
    match value.extract()? {
        "none" => Ok(Codec::None),
        "lz4" => Ok(Codec::Lz4),
        "snappy" => Ok(Codec::Snappy),
        "zstd" => Ok(Codec::Zstd),
        other => Err(invalid(format!(
            "compression is \"none\", \"lz4\", \"snappy\" or \"zstd\", not {other:?}"
        ))),
    }
}

/// Name of a codec.
pub fn codec_name(codec: Codec) -> &'static str {
    match codec {
        Codec::None => "none",
        Codec::Lz4 => "lz4",
        Codec::Snappy => "snappy",
        Codec::Zstd => "zstd",
    }
}

/// Options of a namespace from the keyword arguments that were given.
pub fn keyspace(
    ttl: Option<&Bound<'_, PyAny>>,
    compression: Option<&Bound<'_, PyAny>>,
    blob_bytes_min: Option<u64>,
) -> PyResult<KeyspaceOptions> {
    Ok(KeyspaceOptions {
        ttl_ms: ttl.map(ttl_ms).transpose()?,
        compression: compression.map(parse_codec).transpose()?,
        blob_bytes_min,
    })
}
