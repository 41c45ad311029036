//! MODULE: which of Redis's modules are built in.

use aidb_redis::{Outcome, Stop};

use super::NodeCall;

/// Modules whose commands are there, with the version whose behaviour is followed. Clients look for
/// these names before they send the commands.
const BUILT_IN: [(&str, i64); 2] = [("ReJSON", 20_609), ("bf", 20_612)];

const HELP: &[&str] = &[
    "MODULE <subcommand> [<arg> [value] [opt] ...]. Subcommands are:",
    "LIST",
    "    Tell the modules whose commands are built in.",
    "HELP",
    "    Prints this help.",
];

/// `MODULE LIST | LOAD | LOADEX | UNLOAD | HELP`
pub(super) fn module(call: &mut NodeCall<'_>) -> Outcome {
    if call.is_word(1, "help") {
        return call.help(HELP);
    }
    if !call.is_word(1, "list") {
        return Err(Stop::fail(
            "ERR MODULE command not allowed. JSON and Bloom filters are built in, modules cannot be \
             loaded or unloaded.",
        ));
    }
    call.reply.array(BUILT_IN.len());
    for (name, version) in BUILT_IN {
        call.reply.map(4);
        call.reply.bulk(b"name");
        call.reply.bulk(name.as_bytes());
        call.reply.bulk(b"ver");
        call.reply.integer(version);
        call.reply.bulk(b"path");
        call.reply.bulk(b"");
        call.reply.bulk(b"args");
        call.reply.array(0);
    }
    Ok(())
}
