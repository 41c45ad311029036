//! Looking at the files of a database that nobody has open; see `aidb.maintenance`.

use std::path::PathBuf;

use aidb_engine::Options;
use aidb_engine::inspect::{self, Cell, Report, Row};
use aidb_engine::vfs::OsVfs;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyDict, PyList};

use crate::error::raise;

/// Name, kind and size of every file of the database in a directory.
#[pyfunction]
#[pyo3(signature = (directory, /))]
pub fn database_files(
    py: Python<'_>,
    directory: PathBuf,
) -> PyResult<Vec<(PathBuf, &'static str, u64)>> {
    let files = py.detach(|| inspect::files(&OsVfs::new(), &directory)).map_err(raise)?;
    Ok(files.into_iter().map(|file| (file.name, file.subject.name(), file.bytes)).collect())
}

/// What a file says.
#[pyfunction]
#[pyo3(signature = (path, rows_max, /))]
pub fn inspect_file(py: Python<'_>, path: PathBuf, rows_max: usize) -> PyResult<Bound<'_, PyDict>> {
    let report = py.detach(|| inspect::file(&OsVfs::new(), &path, rows_max)).map_err(raise)?;
    show(py, &report)
}

/// Everything that is wrong with a file.
#[pyfunction]
#[pyo3(signature = (directory, path, /))]
pub fn check_file(py: Python<'_>, directory: PathBuf, path: PathBuf) -> PyResult<Vec<String>> {
    py.detach(|| inspect::check(&OsVfs::new(), &directory, &path)).map_err(raise)
}

/// Everything in which the manifest and the files beside it disagree.
#[pyfunction]
#[pyo3(signature = (directory, /))]
pub fn check_references(py: Python<'_>, directory: PathBuf) -> PyResult<Vec<String>> {
    py.detach(|| inspect::check_references(&OsVfs::new(), &directory)).map_err(raise)
}

/// Rebuilds a database from what can be read of its files.
#[pyfunction]
#[pyo3(signature = (directory, /))]
pub fn repair(py: Python<'_>, directory: PathBuf) -> PyResult<Bound<'_, PyDict>> {
    let repair = || aidb_engine::repair::repair(&directory, &Options::default());
    let report = py.detach(repair).map_err(raise)?;
    let shown = PyDict::new(py);
    shown.set_item("tables", report.tables)?;
    shown.set_item("batches", report.batches)?;
    shown.set_item("entries", report.entries)?;
    let lost = PyList::empty(py);
    for item in report.lost {
        let row = PyDict::new(py);
        row.set_item("file", item.file.to_string_lossy())?;
        row.set_item("what", item.what)?;
        lost.append(row)?;
    }
    shown.set_item("lost", lost)?;
    Ok(shown)
}

fn show<'py>(py: Python<'py>, report: &Report) -> PyResult<Bound<'py, PyDict>> {
    let shown = PyDict::new(py);
    shown.set_item("kind", report.kind)?;
    shown.set_item("summary", &report.summary)?;
    shown.set_item("facts", show_row(py, &report.facts)?)?;
    let sections = PyDict::new(py);
    for section in &report.sections {
        let rows = PyList::empty(py);
        for row in &section.rows {
            rows.append(show_row(py, row)?)?;
        }
        sections.set_item(section.name, rows)?;
    }
    shown.set_item("sections", sections)?;
    shown.set_item("more", report.more)?;
    shown.set_item("problems", &report.problems)?;
    Ok(shown)
}

fn show_row<'py>(py: Python<'py>, row: &Row) -> PyResult<Bound<'py, PyDict>> {
    let shown = PyDict::new(py);
    for (name, cell) in row {
        shown.set_item(name, show_cell(py, cell)?)?;
    }
    Ok(shown)
}

fn show_cell<'py>(py: Python<'py>, cell: &Cell) -> PyResult<Bound<'py, PyAny>> {
    Ok(match cell {
        Cell::None => py.None().into_bound(py),
        Cell::Number(number) => number.into_pyobject(py)?.into_any(),
        Cell::Signed(number) => number.into_pyobject(py)?.into_any(),
        Cell::Text(text) => text.into_pyobject(py)?.into_any(),
        Cell::Bytes(bytes) => PyBytes::new(py, bytes).into_any(),
        Cell::List(cells) => {
            let list = PyList::empty(py);
            for cell in cells {
                list.append(show_cell(py, cell)?)?;
            }
            list.into_any()
        }
    })
}
