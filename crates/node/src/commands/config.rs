//! CONFIG GET and SET.

use aidb_redis::{Outcome, Stop, glob};

use crate::shared::Shared;

use super::config_table::{Parameter, find, parameters};
use super::{NodeCall, text};

const HELP: &[&str] = &[
    "CONFIG <subcommand> [<arg> [value] [opt] ...]. Subcommands are:",
    "GET <pattern>",
    "    Return parameters matching the glob-like <pattern> and their values.",
    "SET <directive> <value>",
    "    Set the configuration <directive> to <value>.",
    "RESETSTAT",
    "    Reset statistics reported by the INFO command.",
    "HELP",
    "    Prints this help.",
];

/// `CONFIG subcommand …`
pub(super) fn config(call: &mut NodeCall<'_>) -> Outcome {
    match call.args.get(1).to_ascii_lowercase().as_slice() {
        b"get" => get(call),
        b"set" => set(call)?,
        b"resetstat" => {
            call.shared().reset_statistics();
            call.reply.ok();
        }
        _ => call.help(HELP)?,
    }
    Ok(())
}

fn get(call: &mut NodeCall<'_>) {
    let patterns = call.args.skip(2);
    let found: Vec<(&str, String)> = parameters()
        .iter()
        .filter(|parameter| {
            patterns.from(0).any(|pattern| glob::matches(pattern, parameter.name.as_bytes(), true))
        })
        .map(|parameter| (parameter.name, (parameter.show)(call.shared())))
        .collect();
    call.reply.map(found.len());
    for (name, value) in found {
        call.reply.bulk(name.as_bytes());
        call.reply.bulk(value.as_bytes());
    }
}

/// Checks every pair before it changes anything.
fn set(call: &mut NodeCall<'_>) -> Outcome {
    if call.args.len() % 2 != 0 {
        return Err(Stop::fail("ERR wrong number of arguments for 'config|set' command"));
    }
    let mut changes: Vec<(&Parameter, String)> = Vec::new();
    for at in (2..call.args.len()).step_by(2) {
        let name = text(call.args.get(at));
        let parameter = find(&name).ok_or_else(|| {
            Stop::fail(format!(
                "ERR Unknown option or number of arguments for CONFIG SET - '{name}'"
            ))
        })?;
        if changes.iter().any(|(known, _)| known.name == parameter.name) {
            return Err(refused(parameter, "duplicate parameter"));
        }
        if parameter.change.is_none() && parameter.change_tls.is_none() {
            return Err(refused(parameter, "can't set immutable config"));
        }
        changes.push((parameter, text(call.args.get(at + 1))));
    }
    let shared = call.shared();
    for dry in [true, false] {
        for (parameter, value) in &changes {
            if let Some(change) = parameter.change {
                change(shared, value, dry).map_err(|why| refused(parameter, &why))?;
            }
        }
        if dry {
            set_tls(shared, &changes)?;
        }
    }
    call.reply.ok();
    Ok(())
}

/// Changes the files of TLS, all at once, if they are good together.
fn set_tls(shared: &Shared, changes: &[(&Parameter, String)]) -> Outcome {
    let mut files = shared.certificates.files();
    let mut last = None;
    for (parameter, value) in changes {
        if let Some(change) = parameter.change_tls {
            change(&mut files, value).map_err(|why| refused(parameter, &why))?;
            last = Some(parameter);
        }
    }
    let Some(parameter) = last else { return Ok(()) };
    if shared.options.tls_port.is_none() {
        shared.certificates.set_files(files);
        return Ok(());
    }
    shared.certificates.load(files).map_err(|error| {
        refused(parameter, &format!("Unable to update TLS configuration. {error}"))
    })
}

fn refused(parameter: &Parameter, why: &str) -> Stop {
    Stop::fail(format!(
        "ERR CONFIG SET failed (possibly related to argument '{}') - {why}",
        parameter.name
    ))
}
