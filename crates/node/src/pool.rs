//! Threads for whatever may wait: the disk, busy locks, back-pressure, long commands.

use std::collections::VecDeque;
use std::sync::Arc;
use std::thread::JoinHandle;

use parking_lot::{Condvar, Mutex};

use crate::conversation::{Detached, Worker};
use crate::mailbox::Message;
use crate::shared::Shared;

/// Work for the pool.
pub(crate) enum Job {
    /// Go on with a conversation and give it back to its reactor.
    Converse(Box<Detached>),
    /// Anything else.
    Run(Box<dyn FnOnce(&Shared) + Send>),
}

#[derive(Default)]
struct State {
    jobs: VecDeque<Job>,
    idle: usize,
    threads: Vec<JoinHandle<()>>,
    is_stopped: bool,
}

/// A pool that starts a thread when all are busy, up to a limit.
pub(crate) struct Pool {
    state: Mutex<State>,
    wakes: Condvar,
    threads_max: usize,
}

impl Pool {
    pub(crate) fn new(threads_max: usize) -> Self {
        Self {
            state: Mutex::new(State::default()),
            wakes: Condvar::new(),
            threads_max: threads_max.max(1),
        }
    }

    /// Adds a job. After [`Pool::stop`] it is dropped.
    pub(crate) fn submit(&self, shared: &Arc<Shared>, job: Job) {
        let mut state = self.state.lock();
        if state.is_stopped {
            return;
        }
        state.jobs.push_back(job);
        if state.jobs.len() > state.idle && state.threads.len() < self.threads_max {
            let shared = Arc::clone(shared);
            let builder = std::thread::Builder::new().name("aidb-pool".to_owned());
            // Without a new thread the job waits for an old one; without any it waits for the next
            // submission.
            if let Ok(thread) = builder.spawn(move || work(&shared)) {
                state.threads.push(thread);
            }
        }
        self.wakes.notify_one();
    }

    /// Ends after the running jobs; waiting ones are dropped.
    pub(crate) fn stop(&self) {
        let threads = {
            let mut state = self.state.lock();
            state.is_stopped = true;
            state.jobs.clear();
            self.wakes.notify_all();
            std::mem::take(&mut state.threads)
        };
        for thread in threads {
            // A thread that panicked has already asked the node to stop.
            let _ = thread.join();
        }
    }

    fn next(&self) -> Option<Job> {
        let mut state = self.state.lock();
        loop {
            if let Some(job) = state.jobs.pop_front() {
                return Some(job);
            }
            if state.is_stopped {
                return None;
            }
            state.idle += 1;
            self.wakes.wait(&mut state);
            state.idle -= 1;
        }
    }
}

fn work(shared: &Arc<Shared>) {
    let _guard = StopOnPanic(shared);
    let mut worker = Worker::new(shared);
    while let Some(job) = shared.pool.next() {
        match job {
            Job::Converse(detached) => {
                let reactor = detached.reactor;
                let finished = worker.converse(*detached);
                shared.mailboxes[reactor].send(Message::Finished(Box::new(finished)));
            }
            Job::Run(run) => run(shared),
        }
    }
}

/// A thread that panics takes the node down: whatever it held is lost, and that must be seen.
pub(crate) struct StopOnPanic<'a>(pub(crate) &'a Shared);

impl Drop for StopOnPanic<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.0.stop.request("a thread of the data plane failed; see its message above");
        }
    }
}
