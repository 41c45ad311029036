//! The commands that a Redis sends its replicas, applied in batches with the offset they end at.

use aidb_base::{Error, ErrorKind, Result};
use aidb_engine::batch::WriteBatch;

use super::{Importer, Phase, Progress, error};
use crate::commands::{Call, execute};
use crate::number::parse_integer;
use crate::resp::{Args, Parser, Protocol, Reply, RequestLimits, Status};
use crate::stop::Stop;
use crate::store::{Access, DATABASES, LibraryChange, Mode, Transaction};
use crate::table::{Layer, lookup};

/// Most commands of a batch.
const BATCH_COMMANDS: u64 = 1000;
/// Most bytes of commands in a batch; a transaction of the source may have more.
const BATCH_BYTES: usize = 1 << 20;
const BULK_BYTES_MAX: usize = 512 << 20;

/// What a call of [`Importer::apply`] did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Applied {
    /// Bytes used; the rest is the beginning of a command, or of a transaction.
    pub bytes: usize,
    /// The source asked how far we are.
    pub wants_offset: bool,
}

/// Commands of one batch.
struct Step<'a> {
    transaction: Transaction,
    progress: &'a mut Progress,
    commands: u64,
    wants_offset: bool,
    /// What happened cannot be undone by dropping the transaction.
    is_beyond: bool,
}

impl Importer {
    /// Applies the commands at the front of `bytes`, and moves `progress` to behind them, in the same
    /// commits. A transaction of the source is applied whole.
    ///
    /// # Errors
    /// `Corruption` when the bytes are no commands; those of the engine. What was applied until then is
    /// in `progress`.
    pub fn apply(&mut self, bytes: &[u8], progress: &mut Progress) -> Result<Applied> {
        let mut applied = Applied::default();
        loop {
            let step = self.step(&bytes[applied.bytes..], progress)?;
            applied.bytes += step.bytes;
            applied.wants_offset |= step.wants_offset;
            if step.bytes == 0 {
                return Ok(applied);
            }
        }
    }

    /// One batch.
    fn step(&mut self, bytes: &[u8], progress: &mut Progress) -> Result<Applied> {
        let mut next = progress.clone();
        let mut step = Step {
            transaction: Transaction::default(),
            progress: &mut next,
            commands: 0,
            wants_offset: false,
            is_beyond: false,
        };
        let mut parser = Parser::new();
        let mut used = 0;
        while used < BATCH_BYTES && step.commands < BATCH_COMMANDS {
            let whole = whole_command(&mut parser, &bytes[used..])?;
            let Some(whole) = whole.filter(|len| *len > 0) else { break };
            self.run_all(&mut parser, &bytes[used..used + whole], &mut step)?;
            used += whole;
        }
        let Step { transaction, commands, wants_offset, .. } = step;
        if used > 0 {
            next.offset += used as u64;
            next.phase = Phase::Following;
            self.finish(transaction, &next)?;
            self.report.commands += commands;
            *progress = next;
        }
        Ok(Applied { bytes: used, wants_offset })
    }

    fn finish(&mut self, transaction: Transaction, progress: &Progress) -> Result<()> {
        let mut batch = WriteBatch::new();
        progress.stage(&self.store, &mut batch)?;
        let access = Access::within(&self.store, &transaction);
        access.commit(Mode::Wait, &batch).map_err(error)?;
        self.store.commit_transaction(Mode::Wait, transaction).map_err(error)
    }

    /// Runs the commands that `bytes` are.
    fn run_all(&mut self, parser: &mut Parser, bytes: &[u8], step: &mut Step<'_>) -> Result<()> {
        let mut at = 0;
        while at < bytes.len() {
            let Some(len) = one_command(parser, &bytes[at..])? else { return Ok(()) };
            let args = parser.args(&bytes[at..at + len]);
            if !args.is_empty() {
                self.run(args, step)?;
                step.commands += 1;
            }
            at += len;
        }
        Ok(())
    }

    fn run(&mut self, args: Args<'_>, step: &mut Step<'_>) -> Result<()> {
        let name = args.get(0).to_ascii_lowercase();
        match name.as_slice() {
            b"ping" | b"multi" | b"exec" | b"publish" | b"spublish" | b"script" => {}
            b"replconf" => step.wants_offset |= args.get(1).eq_ignore_ascii_case(b"getack"),
            b"select" => {
                let index = parse_integer(args.get(1)).and_then(|index| u8::try_from(index).ok());
                step.progress.database = index.unwrap_or(u8::MAX);
            }
            b"function" => self.run_function(args)?,
            b"swapdb" => self.swap(args, step)?,
            _ => self.run_write(&name, args, step)?,
        }
        Ok(())
    }

    fn run_write(&mut self, name: &[u8], args: Args<'_>, step: &mut Step<'_>) -> Result<()> {
        let database = step.progress.database;
        if usize::from(database) >= DATABASES {
            let why = format!("logical databases end at {}", DATABASES - 1);
            self.report.refuse(u64::from(database), args.get(1), why);
            return Ok(());
        }
        self.session.database = usize::from(database);
        let command = lookup(name).filter(|command| command.accepts(args.len()));
        let Some(command) = command.filter(|command| matches!(command.layer, Layer::Data(_)))
        else {
            let name = String::from_utf8_lossy(name);
            let why = format!("the command {name} of the source is not known here");
            self.report.refuse(u64::from(database), args.get(1), why);
            return Ok(());
        };
        let mut out = Vec::new();
        let mut call = Call {
            store: Access::within(&self.store, &step.transaction),
            session: &mut self.session,
            args,
            reply: Reply::new(&mut out, Protocol::Resp2),
            scratch: &mut self.scratch,
            mode: Mode::Wait,
        };
        match execute(&mut call, command) {
            Ok(()) => Ok(()),
            Err(Stop::Fail(line)) if line.starts_with(b"MISCONF") => Err(error(Stop::Fail(line))),
            Err(Stop::Fail(line)) => {
                let why = format!("{}: {}", command.name, String::from_utf8_lossy(&line));
                self.report.refuse(u64::from(database), args.get(1), why);
                Ok(())
            }
            Err(stop) => Err(error(stop)),
        }
    }

    fn run_function(&mut self, args: Args<'_>) -> Result<()> {
        match args.get(1).to_ascii_lowercase().as_slice() {
            b"load" => self.load_library(args.get(args.len() - 1)),
            b"flush" => self.flush_libraries(),
            b"delete" => {
                let change = LibraryChange::Remove(args.get(2));
                self.store.change_libraries(std::iter::once(change)).map_err(error)
            }
            word => {
                let why = format!("FUNCTION {} of the source", String::from_utf8_lossy(word));
                self.report.refuse(0, b"", why);
                Ok(())
            }
        }
    }

    /// An exchange happens at once, so an import that is interrupted before the commit behind it must
    /// begin again.
    fn swap(&mut self, args: Args<'_>, step: &mut Step<'_>) -> Result<()> {
        if !step.is_beyond {
            self.save(&Progress { phase: Phase::Loading, ..step.progress.clone() })?;
            step.is_beyond = true;
        }
        self.run_write(b"swapdb", args, step)
    }
}

fn one_command(parser: &mut Parser, bytes: &[u8]) -> Result<Option<usize>> {
    let limits = RequestLimits { bulk_bytes_max: BULK_BYTES_MAX, is_stranger: false };
    match parser.parse(bytes, limits) {
        Ok(Status::Command(len)) | Ok(Status::Nothing(len)) => Ok(Some(len)),
        Ok(Status::Incomplete) => Ok(None),
        Err(wrong) => Err(Error::new(
            ErrorKind::Corruption,
            format!("the source sent what is no command: {}; connect again", wrong.0),
        )),
    }
}

/// Length of the command at the front, or of the transaction that begins there; `None`: not all of it
/// is there.
fn whole_command(parser: &mut Parser, bytes: &[u8]) -> Result<Option<usize>> {
    let mut at = 0;
    let mut is_open = false;
    loop {
        *parser = Parser::new();
        let Some(len) = one_command(parser, &bytes[at..])? else {
            *parser = Parser::new();
            return Ok(None);
        };
        let name = parser.args(&bytes[at..at + len]);
        let name = if name.is_empty() { b"".as_slice() } else { name.get(0) };
        at += len;
        is_open =
            (is_open || name.eq_ignore_ascii_case(b"multi")) && !name.eq_ignore_ascii_case(b"exec");
        if !is_open || len == 0 {
            *parser = Parser::new();
            return Ok(Some(at));
        }
    }
}
