//! What happens inside a database, for Python listeners.
//!
//! Threads of the engine never touch Python: they put events into the queues of those who listen. A
//! Python thread takes them out when it likes; a queue that is full loses its oldest events and
//! counts them.

use std::collections::VecDeque;
use std::sync::{Arc, Weak};
use std::time::Duration;

use aidb_engine::events::{Event, Listener, Scarcity, WritePressure};
use parking_lot::{Condvar, Mutex};
use pyo3::prelude::*;
use pyo3::types::PyDict;

/// Events that a queue holds.
const EVENTS_MAX: usize = 1024;
/// How often a waiting thread looks at Python's signals.
const SIGNALS_EVERY: Duration = Duration::from_millis(50);

#[derive(Default)]
struct Queue {
    waiting: Mutex<Waiting>,
    bell: Condvar,
}

#[derive(Default)]
struct Waiting {
    events: VecDeque<Event>,
    missed: u64,
    is_over: bool,
}

impl Queue {
    fn push(&self, event: &Event) {
        let mut waiting = self.waiting.lock();
        if waiting.events.len() == EVENTS_MAX {
            waiting.events.pop_front();
            waiting.missed += 1;
        }
        waiting.events.push_back(event.clone());
        waiting.is_over |= matches!(event, Event::Closed { .. });
        self.bell.notify_all();
    }

    fn end(&self) {
        self.waiting.lock().is_over = true;
        self.bell.notify_all();
    }

    /// The next event; `Err` when none came in time or will ever come: then it says so.
    fn take(&self, limit: Duration) -> Result<Event, bool> {
        let mut waiting = self.waiting.lock();
        if waiting.events.is_empty() && !waiting.is_over {
            self.bell.wait_for(&mut waiting, limit);
        }
        waiting.events.pop_front().ok_or(waiting.is_over)
    }
}

/// Hands the events of one database to everybody who listens.
#[derive(Default)]
pub struct Hub(Mutex<Vec<Weak<Queue>>>);

impl Hub {
    /// A listener that feeds `hub`, and `first`, which was there before.
    pub fn listener(hub: &Arc<Self>, first: Option<Listener>) -> Listener {
        let hub = Arc::clone(hub);
        Arc::new(move |event: &Event| {
            if let Some(first) = &first {
                first(event);
            }
            hub.tell(event);
        })
    }

    /// A stream of the events from now on.
    pub fn listen(&self) -> Events {
        let queue = Arc::new(Queue::default());
        let mut queues = self.0.lock();
        queues.retain(|queue| queue.strong_count() > 0);
        queues.push(Arc::downgrade(&queue));
        Events { queue }
    }

    /// Ends every stream: nothing more will happen.
    pub fn end(&self) {
        self.queues().iter().for_each(|queue| queue.end());
    }

    fn tell(&self, event: &Event) {
        self.queues().iter().for_each(|queue| queue.push(event));
    }

    fn queues(&self) -> Vec<Arc<Queue>> {
        self.0.lock().iter().filter_map(Weak::upgrade).collect()
    }
}

/// An iterator over events, waiting for the next one; ends when the database is closed.
#[pyclass(frozen, module = "aidb._core")]
pub struct Events {
    queue: Arc<Queue>,
}

#[pymethods]
impl Events {
    fn __iter__(slf: Bound<'_, Self>) -> Bound<'_, Self> {
        slf
    }

    /// Name and fields of the next event.
    fn __next__<'py>(
        &self,
        py: Python<'py>,
    ) -> PyResult<Option<(&'static str, Bound<'py, PyDict>)>> {
        loop {
            match py.detach(|| self.queue.take(SIGNALS_EVERY)) {
                Ok(event) => return show(py, &event).map(Some),
                Err(true) => return Ok(None),
                Err(false) => py.check_signals()?,
            }
        }
    }

    /// Events that were lost because nobody took them in time.
    #[getter]
    fn missed(&self) -> u64 {
        self.queue.waiting.lock().missed
    }

    /// Ends the iterator, also one that another thread waits for.
    fn close(&self) {
        self.queue.end();
    }
}

fn show<'py>(py: Python<'py>, event: &Event) -> PyResult<(&'static str, Bound<'py, PyDict>)> {
    let fields = PyDict::new(py);
    let name = match event {
        Event::RecoveryProgress { bytes_done, bytes_total } => {
            fields.set_item("bytes_done", bytes_done)?;
            fields.set_item("bytes_total", bytes_total)?;
            "RecoveryProgress"
        }
        Event::Opened { batches_replayed, duration_ms } => {
            fields.set_item("batches_replayed", batches_replayed)?;
            fields.set_item("duration_ms", duration_ms)?;
            "Opened"
        }
        Event::Flushed { seq, duration_ms } => {
            fields.set_item("seq", seq)?;
            fields.set_item("duration_ms", duration_ms)?;
            "Flushed"
        }
        Event::Compacted { bytes_in, bytes_out, duration_ms } => {
            fields.set_item("bytes_in", bytes_in)?;
            fields.set_item("bytes_out", bytes_out)?;
            fields.set_item("duration_ms", duration_ms)?;
            "Compacted"
        }
        Event::WritePressure { level, scarcity } => {
            fields.set_item("level", pressure_name(*level))?;
            fields.set_item("scarcity", scarcity.map(scarcity_name))?;
            "WritePressure"
        }
        Event::BackgroundError { message } => {
            fields.set_item("message", message)?;
            "BackgroundError"
        }
        Event::ReadOnly { reason } => {
            fields.set_item("reason", reason)?;
            "ReadOnly"
        }
        Event::Closed { dir } => {
            fields.set_item("directory", dir)?;
            "Closed"
        }
    };
    Ok((name, fields))
}

/// How writers are treated, in a word.
pub fn pressure_name(level: WritePressure) -> &'static str {
    match level {
        WritePressure::Free => "free",
        WritePressure::Slowed => "slowed",
        WritePressure::Stopped => "stopped",
    }
}

fn scarcity_name(scarcity: Scarcity) -> &'static str {
    match scarcity {
        Scarcity::Memory => "memory",
        Scarcity::LevelZero => "level 0",
    }
}
