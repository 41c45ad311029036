//! COMMAND: the command table as clients read it.

use aidb_redis::resp::Reply;
use aidb_redis::stop::SYNTAX;
use aidb_redis::table::{Argument, COMMANDS, Command, KeySpec, lookup};
use aidb_redis::{Outcome, Stop, glob};

use super::{NodeCall, is_word};

const HELP: &[&str] = &[
    "COMMAND <subcommand> [<arg> [value] [opt] ...]. Subcommands are:",
    "(no subcommand)",
    "    Return details about all commands.",
    "COUNT",
    "    Return the number of commands.",
    "DOCS [<command-name> ...]",
    "    Return the documentation of commands.",
    "GETKEYS <full-command>",
    "    Return the keys of a command.",
    "GETKEYSANDFLAGS <full-command>",
    "    Return the keys and the access flags of a command.",
    "INFO [<command-name> ...]",
    "    Return details about commands.",
    "LIST [FILTERBY (ACLCAT <category>|PATTERN <pattern>|MODULE <name>)]",
    "    Return the names of commands.",
    "HELP",
    "    Prints this help.",
];

/// `COMMAND [subcommand …]`
pub(super) fn command(call: &mut NodeCall<'_>) -> Outcome {
    match call.args.get(1).to_ascii_lowercase().as_slice() {
        b"" => all(call),
        b"info" if call.args.len() == 2 => all(call),
        b"count" => call.reply.integer(COMMANDS.len() as i64),
        b"info" => {
            call.reply.array(call.args.len() - 2);
            for name in call.args.from(2) {
                match find(name) {
                    Some(command) => details(&mut call.reply, command),
                    None => call.reply.null_array(),
                }
            }
        }
        b"docs" => docs(call),
        b"list" => list(call)?,
        b"getkeys" => get_keys(call, false)?,
        b"getkeysandflags" => get_keys(call, true)?,
        _ => call.help(HELP)?,
    }
    Ok(())
}

fn all(call: &mut NodeCall<'_>) {
    call.reply.array(COMMANDS.len());
    COMMANDS.iter().for_each(|command| details(&mut call.reply, command));
}

/// A command or, as `container|name`, a subcommand.
fn find(name: &[u8]) -> Option<&'static Command> {
    match name.iter().position(|byte| *byte == b'|') {
        None => lookup(name),
        Some(bar) => lookup(&name[..bar])?.subcommand(&name[bar + 1..]),
    }
}

fn details(reply: &mut Reply<'_>, command: &Command) {
    reply.array(10);
    reply.bulk(command.name.as_bytes());
    reply.integer(command.arity);
    statuses(reply, command.flags.iter().map(|flag| (*flag).to_owned()));
    let (first, last, step) = command.legacy_keys;
    [first, last, step].into_iter().for_each(|place| reply.integer(place));
    statuses(reply, command.acl.iter().map(|category| format!("@{category}")));
    reply.array(command.tips.len());
    command.tips.iter().for_each(|tip| reply.bulk(tip.as_bytes()));
    reply.array(command.keys.len());
    command.keys.iter().for_each(|spec| key_spec(reply, spec));
    reply.array(command.subcommands.len());
    command.subcommands.iter().for_each(|sub| details(reply, sub));
}

fn statuses(reply: &mut Reply<'_>, words: impl ExactSizeIterator<Item = String>) {
    reply.set(words.len());
    words.for_each(|word| reply.simple(&word));
}

fn key_spec(reply: &mut Reply<'_>, spec: &KeySpec) {
    reply.map(3 + usize::from(spec.notes.is_some()));
    if let Some(notes) = spec.notes {
        reply.bulk(b"notes");
        reply.bulk(notes.as_bytes());
    }
    reply.bulk(b"flags");
    statuses(reply, spec.flags.iter().map(|flag| (*flag).to_owned()));
    reply.bulk(b"begin_search");
    match spec.keyword {
        None => typed(reply, "index", &[("index", spec.index as i64)]),
        Some(word) => behind_keyword(reply, word, spec.index),
    }
    reply.bulk(b"find_keys");
    if let Some(counted) = spec.counted {
        let places = [
            ("keynumidx", counted.count_at as i64),
            ("firstkey", counted.first as i64),
            ("keystep", spec.step as i64),
        ];
        return typed(reply, "keynum", &places);
    }
    let range = [("lastkey", spec.last), ("keystep", spec.step as i64), ("limit", spec.limit)];
    typed(reply, "range", &range);
}

fn behind_keyword(reply: &mut Reply<'_>, word: &str, from: usize) {
    reply.map(2);
    reply.bulk(b"type");
    reply.bulk(b"keyword");
    reply.bulk(b"spec");
    reply.map(2);
    reply.bulk(b"keyword");
    reply.bulk(word.as_bytes());
    reply.bulk(b"startfrom");
    reply.integer(from as i64);
}

fn typed(reply: &mut Reply<'_>, kind: &str, fields: &[(&str, i64)]) {
    reply.map(2);
    reply.bulk(b"type");
    reply.bulk(kind.as_bytes());
    reply.bulk(b"spec");
    reply.map(fields.len());
    for (name, value) in fields {
        reply.bulk(name.as_bytes());
        reply.integer(*value);
    }
}

fn docs(call: &mut NodeCall<'_>) {
    let found: Vec<&Command> = match call.args.len() {
        2 => COMMANDS.iter().collect(),
        _ => call.args.from(2).filter_map(find).collect(),
    };
    call.reply.map(found.len());
    for command in found {
        call.reply.bulk(command.name.as_bytes());
        document(&mut call.reply, command);
    }
}

fn document(reply: &mut Reply<'_>, command: &Command) {
    let mut texts = vec![("summary", command.summary), ("since", command.since)];
    texts.push(("group", command.group));
    texts.extend(command.complexity.map(|text| ("complexity", text)));
    texts.extend(command.deprecated_since.map(|text| ("deprecated_since", text)));
    texts.extend(command.replaced_by.map(|text| ("replaced_by", text)));
    let deprecated = command.deprecated_since.is_some();
    let (arguments, subcommands) = (command.arguments, command.subcommands);
    reply.map(
        texts.len()
            + usize::from(deprecated)
            + usize::from(!arguments.is_empty())
            + usize::from(!subcommands.is_empty()),
    );
    for (name, text) in texts {
        reply.bulk(name.as_bytes());
        reply.bulk(text.as_bytes());
    }
    if deprecated {
        reply.bulk(b"doc_flags");
        statuses(reply, ["deprecated".to_owned()].into_iter());
    }
    if !arguments.is_empty() {
        reply.bulk(b"arguments");
        document_arguments(reply, arguments);
    }
    if !subcommands.is_empty() {
        reply.bulk(b"subcommands");
        reply.map(subcommands.len());
        for sub in subcommands {
            reply.bulk(sub.name.as_bytes());
            document(reply, sub);
        }
    }
}

fn document_arguments(reply: &mut Reply<'_>, arguments: &[Argument]) {
    reply.array(arguments.len());
    for argument in arguments {
        let mut texts = vec![("name", argument.name), ("type", argument.kind)];
        texts.extend(argument.token.map(|text| ("token", text)));
        texts.extend(argument.since.map(|text| ("since", text)));
        let has_flags = !argument.flags.is_empty();
        let has_parts = !argument.arguments.is_empty();
        let extras = usize::from(has_flags)
            + usize::from(has_parts)
            + usize::from(argument.key_spec_index.is_some());
        reply.map(texts.len() + extras);
        for (name, text) in texts {
            reply.bulk(name.as_bytes());
            reply.bulk(text.as_bytes());
        }
        if let Some(index) = argument.key_spec_index {
            reply.bulk(b"key_spec_index");
            reply.integer(index);
        }
        if has_flags {
            reply.bulk(b"flags");
            statuses(reply, argument.flags.iter().map(|flag| (*flag).to_owned()));
        }
        if has_parts {
            reply.bulk(b"arguments");
            document_arguments(reply, argument.arguments);
        }
    }
}

fn list(call: &mut NodeCall<'_>) -> Outcome {
    let args = call.args;
    let pattern = args.get(4);
    let accepts: Box<dyn Fn(&Command) -> bool + '_> = match args.len() {
        2 => Box::new(|_| true),
        5 if call.is_word(2, "filterby") => match args.get(3) {
            kind if is_word(kind, "aclcat") => {
                Box::new(|command| command.acl.iter().any(|category| is_word(pattern, category)))
            }
            kind if is_word(kind, "pattern") => {
                Box::new(|command| glob::matches(pattern, command.name.as_bytes(), true))
            }
            kind if is_word(kind, "module") => Box::new(|_| false),
            _ => return Err(SYNTAX),
        },
        _ => return Err(SYNTAX),
    };
    let every =
        COMMANDS.iter().flat_map(|command| std::iter::once(command).chain(command.subcommands));
    // Without a filter Redis lists containers only; with one it lists subcommands, too.
    let names: Vec<&str> = every
        .filter(|command| (args.len() > 2 || !command.name.contains('|')) && accepts(command))
        .map(|command| command.name)
        .collect();
    call.reply.set(names.len());
    names.iter().for_each(|name| call.reply.bulk(name.as_bytes()));
    Ok(())
}

/// `COMMAND GETKEYS`, and `GETKEYSANDFLAGS`, which says how each key is used.
fn get_keys(call: &mut NodeCall<'_>, with_flags: bool) -> Outcome {
    let inner = call.args.skip(2);
    let command =
        lookup(inner.get(0)).ok_or_else(|| Stop::fail("ERR Invalid command specified"))?;
    let command = command.subcommand(inner.get(1)).unwrap_or(command);
    if !command.has_keys() {
        return Err(Stop::fail("ERR The command has no key arguments"));
    }
    if !command.accepts(inner.len()) {
        return Err(Stop::fail("ERR Invalid number of arguments specified for command"));
    }
    let uses = match command.key_uses(&inner) {
        None if command.flags.contains(&"no_mandatory_keys") => Vec::new(),
        uses => uses.ok_or_else(|| Stop::fail("ERR Invalid arguments specified for command"))?,
    };
    call.reply.array(uses.len());
    for used in uses {
        if with_flags {
            call.reply.array(2);
        }
        call.reply.bulk(inner.get(used.place));
        if with_flags {
            statuses(&mut call.reply, used.flags.iter().map(|flag| (*flag).to_owned()));
        }
    }
    Ok(())
}
