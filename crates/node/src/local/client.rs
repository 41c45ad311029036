//! One client inside this process.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use aidb_redis::Session;
use aidb_redis::resp::{Parser, Protocol, Reply};
use aidb_redis::session::Place;
use aidb_redis::store::{AppendFsync, Mode};

use crate::acl::Identity;
use crate::blocking;
use crate::clients::Client;
use crate::conversation::{Conversation, End, Worker, unsynced};
use crate::metrics::count;
use crate::pool::StopOnPanic;
use crate::state::State;
use crate::transport::Address;

use super::{Inbox, Note, Workers};

/// Memory of emptied buffers above this size is given back.
const SPARE_BYTES_MAX: usize = 64 << 10;

/// How often a client looks whether a pause has ended.
const PAUSE_LOOK_MS: u64 = 10;

/// How far a client has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Progress {
    /// Every complete command is answered.
    Done,
    /// It goes on only where waiting is allowed: call again with [`Mode::Wait`].
    MustWait,
    /// The next command waits for a key: call again when the inbox has something, or this long after.
    Blocked(Option<Duration>),
    /// The conversation is over; replies may be left.
    Closed,
}

/// A client inside this process.
///
/// **Concurrency**: may move between threads; executed by one at a time.
pub struct LocalClient {
    workers: Arc<Workers>,
    conversation: Conversation,
    inbox: Arc<Inbox>,
    output: Vec<u8>,
    /// So many bytes of the output are taken already.
    taken: usize,
    /// Writes since this place in the output are not durable yet, and replies must wait for that.
    unsynced_from: Option<usize>,
    is_called: bool,
    is_closed: bool,
}

impl LocalClient {
    pub(crate) fn new(workers: &Arc<Workers>) -> Self {
        let shared = &workers.shared;
        count(&shared.metrics.connections_received);
        let (id, mailbox) = (shared.clients.next_id(), shared.reactors());
        let nowhere = Address::Tcp(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)));
        let identity = Identity::unnamed(&shared.acl);
        let name = Arc::clone(shared.acl.default_user().name());
        let now_ms = shared.store.now_ms();
        let client =
            Arc::new(Client::new(id, nowhere.clone(), nowhere, (mailbox, 0), name, now_ms));
        shared.clients.add(Arc::clone(&client));
        let place = Place { client: id, reactor: mailbox, token: 0 };
        let conversation = Conversation {
            client,
            session: Session { place, ..Session::default() },
            state: State { identity, ..State::default() },
            parser: Parser::new(),
            input: Vec::new(),
        };
        Self {
            workers: Arc::clone(workers),
            conversation,
            inbox: shared.inboxes().map_or_else(Arc::default, |inboxes| inboxes.add(id)),
            output: Vec::new(),
            taken: 0,
            unsynced_from: None,
            is_called: false,
            is_closed: false,
        }
    }

    /// Where others leave what concerns this client.
    pub fn inbox(&self) -> Arc<Inbox> {
        Arc::clone(&self.inbox)
    }

    /// The bytes said and not yet executed, to append to.
    #[inline]
    pub fn input(&mut self) -> &mut Vec<u8> {
        &mut self.conversation.input
    }

    /// Replies not taken yet.
    #[inline]
    pub fn output(&self) -> &[u8] {
        // What waits for the disk is not said yet.
        &self.output[self.taken..self.unsynced_from.unwrap_or(self.output.len())]
    }

    /// Removes the first bytes of the replies.
    #[inline]
    pub fn consume(&mut self, bytes: usize) {
        self.taken += bytes;
        if self.taken < self.output.len() {
            return;
        }
        self.taken = 0;
        if self.output.capacity() > SPARE_BYTES_MAX {
            self.output = Vec::new();
        } else {
            self.output.clear();
        }
    }

    /// Whether it can take the next command of anybody: it waits for nothing, listens to nothing, and
    /// everything is said and heard.
    pub fn is_free(&self) -> bool {
        let state = &self.conversation.state;
        let is_quiet = self.output.is_empty() && self.conversation.input.is_empty();
        let is_listening = state.subscriptions.is_some();
        let is_watching = is_listening || state.tracking.is_some() || state.monitoring.is_some();
        !self.is_closed && !is_watching && state.blocked.is_none() && is_quiet
    }

    /// Ends the conversation; replies that are not taken are lost.
    pub fn close(&mut self) {
        self.is_closed = true;
        self.output.clear();
        self.taken = 0;
        self.unsynced_from = None;
        let Conversation { client, session, state, input, .. } = &mut self.conversation;
        input.clear();
        blocking::end(&self.workers.shared, client, session, state);
        state.subscriptions = None;
        state.tracking = None;
        state.monitoring = None;
        state.watching = None;
        self.inbox.poke();
    }

    /// Executes what was said, as far as `mode` allows.
    pub fn advance(&mut self, mode: Mode) -> Progress {
        let workers = Arc::clone(&self.workers);
        let _guard = StopOnPanic(&workers.shared);
        if workers.shared.stop.is_requested() {
            self.is_closed = true;
        }
        self.take_notes();
        if self.is_closed {
            return Progress::Closed;
        }
        if let Some(wait) = self.conversation.state.blocked {
            let now_ms = workers.shared.store.now_ms();
            let is_late = wait.until_ms != 0 && wait.until_ms <= now_ms;
            if is_late {
                self.give_up(false);
            } else if !std::mem::take(&mut self.is_called) {
                let left_ms = wait.until_ms.checked_sub(now_ms);
                return Progress::Blocked(left_ms.map(Duration::from_millis));
            }
        }
        let start = self.output.len();
        let (end, wrote) = workers.lend(|worker| self.execute(worker, mode));
        if wrote && workers.shared.store.appendfsync() == AppendFsync::Always {
            self.unsynced_from.get_or_insert(start);
        }
        if self.unsynced_from.is_some() && !self.sync(mode) {
            return Progress::MustWait;
        }
        match end {
            End::NeedsInput | End::OutputFull => Progress::Done,
            End::NeedsWait => {
                // A command that was called is still to be tried.
                self.is_called = self.conversation.state.blocked.is_some();
                Progress::MustWait
            }
            End::Blocked => self.blocked(),
            End::Paused => {
                let (pause, now_ms) = (&workers.shared.pause, workers.shared.store.now_ms());
                // Another thread of the process may end the pause early.
                let left_ms = pause.until_ms().saturating_sub(now_ms).min(PAUSE_LOOK_MS);
                Progress::Blocked(Some(Duration::from_millis(left_ms)))
            }
            End::Close => {
                self.is_closed = true;
                Progress::Closed
            }
        }
    }

    /// Runs all complete commands; says why it stopped and whether something was written.
    fn execute(&mut self, worker: &mut Worker, mode: Mode) -> (End, bool) {
        let commits = worker.scratch.counters.commits;
        let conversation = &mut self.conversation;
        let mut input = std::mem::take(&mut conversation.input);
        let mut done = 0;
        let mut earlier = Vec::new();
        let end = loop {
            let (consumed, end) = worker.run(conversation, &input[done..], &mut self.output, mode);
            done += consumed;
            if end != End::OutputFull {
                break end;
            }
            // The reader of the replies is the one who waits here: there is no use in a pause.
            earlier.append(&mut self.output);
        };
        if !earlier.is_empty() {
            earlier.append(&mut self.output);
            self.output = earlier;
        }
        if done < input.len() {
            input.drain(..done);
        } else if input.capacity() > SPARE_BYTES_MAX {
            input = Vec::new();
        } else {
            input.clear();
        }
        conversation.input = input;
        conversation.note_activity(worker.shared.store.now_ms());
        (end, worker.scratch.counters.commits != commits)
    }

    fn blocked(&mut self) -> Progress {
        let until_ms = self.conversation.state.blocked.map_or(0, |wait| wait.until_ms);
        let now_ms = self.workers.shared.store.now_ms();
        let left_ms = (until_ms != 0).then(|| until_ms.saturating_sub(now_ms));
        Progress::Blocked(left_ms.map(Duration::from_millis))
    }

    /// Makes what was written durable, if it may wait for that.
    fn sync(&mut self, mode: Mode) -> bool {
        if mode == Mode::Try {
            return false;
        }
        let synced = self.workers.shared.store.db().sync();
        if let (Some(from), Err(error)) = (self.unsynced_from, synced) {
            self.output.truncate(from);
            Reply::new(&mut self.output, Protocol::Resp2).error(&unsynced(&error));
            self.is_closed = true;
        }
        self.unsynced_from = None;
        true
    }

    fn take_notes(&mut self) {
        for note in self.inbox.take() {
            match note {
                Note::Call => self.is_called = true,
                Note::Close => self.is_closed = true,
                Note::CheckListeners => {
                    let acl = &self.workers.shared.acl;
                    self.is_closed |= !self.conversation.state.may_go_on_listening(acl);
                }
                Note::Unblock(fails) => {
                    if self.conversation.state.blocked.is_some() {
                        self.give_up(fails);
                    }
                }
                Note::Line(line) => {
                    if self.conversation.state.monitoring.is_some() {
                        self.output.extend_from_slice(&line);
                    }
                }
                Note::Notice(notice) => {
                    let Conversation { state, session, .. } = &self.conversation;
                    let is_listening = state.subscriptions.is_some();
                    let bytes = notice.encoded(session.protocol, is_listening);
                    self.output.extend_from_slice(bytes);
                }
                Note::Deliver(delivery) => {
                    let Conversation { state, session, .. } = &self.conversation;
                    // Whoever stopped listening has been told so already.
                    let topics = state.subscriptions.as_ref();
                    if topics.is_some_and(|held| held.contains(delivery.kind, &delivery.topic)) {
                        self.output.extend_from_slice(delivery.encoded(session.protocol));
                    }
                }
            }
        }
    }

    fn give_up(&mut self, fails: bool) {
        blocking::give_up(&self.workers.shared, &mut self.conversation, &mut self.output, fails);
    }
}

impl Drop for LocalClient {
    fn drop(&mut self) {
        let (shared, id) = (&self.workers.shared, self.conversation.client.id);
        shared.clients.remove(id);
        shared.store.waiters().leave(id);
        if let Some(inboxes) = shared.inboxes() {
            inboxes.remove(id);
        }
    }
}
