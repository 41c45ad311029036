//! SHUTDOWN.

use aidb_redis::stop::SYNTAX;
use aidb_redis::{Outcome, Stop};

use super::{NodeCall, is_word};

/// `SHUTDOWN [NOSAVE | SAVE] [NOW] [FORCE] [ABORT]`
///
/// Everything acknowledged is in the log, so saving or not makes no difference; nothing delays the
/// stop, so there is nothing to abort.
pub(super) fn shutdown(call: &mut NodeCall<'_>) -> Outcome {
    let known = ["nosave", "save", "now", "force", "abort"];
    let mut seen = [false; 5];
    for word in call.args.from(1) {
        let place = known.iter().position(|known| is_word(word, known)).ok_or(SYNTAX)?;
        seen[place] = true;
    }
    let [nosave, save, now, force, abort] = seen;
    if (nosave && save) || (abort && (nosave || save || now || force)) {
        return Err(SYNTAX);
    }
    if abort {
        return Err(Stop::fail("ERR No shutdown in progress."));
    }
    call.shared().stop.request("a client asked for shutdown");
    // Success has no reply: the connection closes.
    call.closes = true;
    Ok(())
}
