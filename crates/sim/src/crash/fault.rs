//! Failing system calls: what a database must still promise when the disk is full or breaks.
//!
//! A trial runs a history on a healthy disk, then on a failing one, then heals it. Whatever failed:
//! reads give exactly what was acknowledged, errors say what happened, a database that lost an
//! fsync refuses writes until it is opened again, one that only lacked space goes on by itself, and
//! a crash at the end loses nothing that was promised.

use aidb_base::{Error, ErrorKind, Rng};

use super::actor::Actor;
use super::check::{Expectation, Verdict};

use crate::disk::Loss;
use crate::vfs::{CallKind, Fault, FaultVfs};

/// What goes wrong in a trial.
#[derive(Clone, Debug)]
pub enum Trouble {
    /// Calls fail.
    Calls(Fault),
    /// The disk has so many bytes left.
    Full(u64),
}

/// One history with trouble in its middle.
#[derive(Clone, Debug)]
pub struct Trial {
    /// Seed of the history.
    pub seed: u64,
    /// Operations before, and again during the trouble.
    pub steps: usize,
    /// The trouble.
    pub trouble: Trouble,
}

/// Kinds of failure by their errno.
const ERRNOS: [i32; 2] = [libc::EIO, libc::ENOSPC];

impl Trial {
    /// The trial of a number: kinds of calls, errors and histories in turn.
    pub fn draw(number: u64) -> Self {
        let mut rng = Rng::seeded(number);
        let kinds = CallKind::FALLIBLE.len() as u64;
        let kind = CallKind::FALLIBLE[(number % (kinds + 1)).min(kinds - 1) as usize];
        let mut fault = Fault::once(kind, rng.below(12), ERRNOS[rng.below(2) as usize]);
        if rng.below(3) == 0 {
            fault = fault.forever();
        }
        if kind == CallKind::Append && rng.below(2) == 0 {
            fault = fault.short(rng.below(100) as u8);
        }
        let full = Trouble::Full(rng.below(20_000));
        let trouble = if number % (kinds + 1) == kinds { full } else { Trouble::Calls(fault) };
        Self { seed: rng.next_u64() >> 40, steps: 40, trouble }
    }

    /// Runs the trial; whether the trouble was met.
    ///
    /// # Errors
    /// What does not hold, in words, with the last operations.
    pub fn run(&self) -> Verdict<bool> {
        let mut actor = Actor::new(self.seed);
        let verdict = self.run_with(&mut actor);
        verdict.map_err(|what| {
            let script = actor.record.script.iter().rev().take(40).rev();
            let lines = script.map(|(at, what)| format!("\n  | {at}: {what:.90}"));
            format!("{self:?} {:?}\n  {what}{}", actor.setting, lines.collect::<String>())
        })
    }

    fn run_with(&self, actor: &mut Actor) -> Verdict<bool> {
        let healthy = |e: Error| format!("on a healthy disk: {e}");
        actor.open().map_err(healthy)?;
        (0..self.steps).try_for_each(|_| actor.step()).map_err(healthy)?;
        self.begin(&actor.vfs);
        for _ in 0..self.steps {
            if actor.db.is_none() {
                break;
            }
            if let Err(error) = actor.step() {
                self.assess(&error)?;
            }
        }
        let was_met = actor.vfs.failures() > 0 || actor.record.script.iter().any(is_refusal);
        actor.vfs.heal();
        self.go_on(actor)?;
        self.crash(actor)?;
        Ok(was_met)
    }

    fn begin(&self, vfs: &FaultVfs) {
        match &self.trouble {
            Trouble::Calls(fault) => vfs.fail(fault.clone()),
            Trouble::Full(left) => vfs.set_capacity(Some(vfs.used_bytes() + left)),
        }
    }

    fn is_lack_of_space(&self) -> bool {
        match &self.trouble {
            Trouble::Calls(fault) => fault.errno == libc::ENOSPC,
            Trouble::Full(_) => true,
        }
    }

    /// Whether the error is one that this trouble may cause.
    fn assess(&self, error: &Error) -> Verdict<()> {
        let expected =
            if self.is_lack_of_space() { ErrorKind::Exhausted } else { ErrorKind::Unavailable };
        match error.kind() {
            ErrorKind::Closed => Ok(()),
            kind if kind == expected => Ok(()),
            kind => Err(format!("{kind:?} instead of {expected:?}: {error}")),
        }
    }

    /// After healing: reads are right, and the database goes on or says why not.
    fn go_on(&self, actor: &mut Actor) -> Verdict<()> {
        if actor.db.is_none() {
            actor.open().map_err(|e| format!("open on the healed disk: {e}"))?;
        }
        actor.compare().map_err(|e| format!("on the healed disk: {e}"))?;
        let refusal = actor.db.as_ref().and_then(|db| db.stats().read_only_reason);
        if let Some(reason) = refusal {
            let may_refuse = match &self.trouble {
                Trouble::Calls(fault) => {
                    fault.errno != libc::ENOSPC
                        || matches!(fault.kind, CallKind::Sync | CallKind::SyncDir)
                }
                Trouble::Full(_) => false,
            };
            return if may_refuse { Ok(()) } else { Err(format!("still read-only: {reason}")) };
        }
        for _ in 0..10 {
            actor.step().map_err(|e| format!("on the healed disk: {e}"))?;
        }
        actor.compare().map_err(|e| format!("after going on: {e}"))
    }

    /// Ends the world in every way.
    fn crash(&self, actor: &Actor) -> Verdict<()> {
        for loss in Loss::ALL {
            let mut rng = Rng::seeded(self.seed ^ loss as u64);
            let vfs = actor.vfs.reboot(loss, rng.next_u64());
            let moment = actor.vfs.changes();
            let (record, setting) = (&actor.record, &actor.setting);
            let expectation = Expectation { record, setting, moment, loss };
            let checked = expectation.check(&vfs, &mut rng);
            checked.map_err(|what| format!("after {loss:?}: {what}"))?;
        }
        Ok(())
    }
}

fn is_refusal((_, what): &(u64, String)) -> bool {
    what.starts_with("refused")
}
