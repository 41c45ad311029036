//! The parameters that CONFIG knows.

use aidb_redis::store::{AppendFsync, Classes, DATABASES};

use super::acl;
use crate::observe::{CommandLog, DISABLED};
use crate::settings::{OutputLimits, Setting, Settings};
use crate::shared::Shared;
use crate::transport::{AuthClients, TlsFiles};

/// Checks a new value and, unless `dry`, applies it.
pub(super) type Change = fn(&Shared, &str, bool) -> Result<(), String>;
/// Puts a new value among the files of TLS, which change together.
pub(super) type TlsChange = fn(&mut TlsFiles, &str) -> Result<(), String>;

/// A parameter of CONFIG.
pub(super) struct Parameter {
    pub(super) name: &'static str,
    pub(super) show: fn(&Shared) -> String,
    /// `None`: fixed while the node runs, unless it is one of TLS.
    pub(super) change: Option<Change>,
    pub(super) change_tls: Option<TlsChange>,
}

/// The parameter of a name in any case.
pub(super) fn find(name: &str) -> Option<&'static Parameter> {
    parameters().iter().find(|parameter| parameter.name.eq_ignore_ascii_case(name))
}

macro_rules! fixed {
    ($name:literal, $show:expr) => {
        Parameter { name: $name, show: $show, change: None, change_tls: None }
    };
}

macro_rules! number {
    ($name:literal, $field:ident, $range:expr) => {
        Parameter {
            name: $name,
            show: |shared| shared.settings.$field.get().to_string(),
            change: Some(|shared, value, dry| {
                set_number(&shared.settings.$field, value, $range, dry)
            }),
            change_tls: None,
        }
    };
}

/// The file that TLS reads something from.
macro_rules! tls_file {
    ($name:literal, $field:ident) => {
        Parameter {
            name: $name,
            show: |shared| shared.certificates.files().$field.display().to_string(),
            change: None,
            change_tls: Some(|files, value| {
                files.$field = value.into();
                Ok(())
            }),
        }
    };
}

/// From which amount on commands go to a log; -1: none do.
macro_rules! log {
    ($name:literal, $log:ident) => {
        Parameter {
            name: $name,
            show: |shared| show_threshold(&shared.observers.$log),
            change: Some(|shared, value, dry| {
                set_threshold(shared, &shared.observers.$log, value, dry)
            }),
            change_tls: None,
        }
    };
}

/// How many commands a log keeps.
macro_rules! length {
    ($name:literal, $log:ident) => {
        Parameter {
            name: $name,
            show: |shared| shared.observers.$log.entries_max.get().to_string(),
            change: Some(|shared, value, dry| {
                let setting = &shared.observers.$log.entries_max;
                set_number(setting, value, (0, i64::MAX as u64), dry)
            }),
            change_tls: None,
        }
    };
}

static PARAMETERS: &[Parameter] = &[
    Parameter {
        name: "acl-pubsub-default",
        show: |shared| channels_of_new_users(shared.acl.opens_channels()).to_owned(),
        change: Some(set_channels_of_new_users),
        change_tls: None,
    },
    fixed!("aclfile", |shared| {
        shared.acl.file().map_or_else(String::new, |path| path.display().to_string())
    }),
    Parameter {
        name: "acllog-max-len",
        show: |shared| acl::log_entries_max(shared).to_string(),
        change: Some(|shared, value, dry| {
            let entries = parse_number(value, (0, i64::MAX as u64))?;
            if !dry {
                acl::set_log_entries_max(shared, entries);
            }
            Ok(())
        }),
        change_tls: None,
    },
    fixed!("appendonly", |_| "yes".to_owned()),
    Parameter {
        name: "appendfsync",
        show: |shared| shared.store.appendfsync().name().to_owned(),
        change: Some(set_appendfsync),
        change_tls: None,
    },
    fixed!("bind", |shared| shared.options.host.clone()),
    number!("client-query-buffer-limit", query_buffer_bytes_max, (1 << 20, 2 << 30)),
    Parameter {
        name: "client-output-buffer-limit",
        show: |shared| output_limits(&shared.settings),
        change: Some(set_output_limits),
        change_tls: None,
    },
    fixed!("cluster-enabled", |_| "no".to_owned()),
    fixed!("databases", |_| DATABASES.to_string()),
    fixed!("dir", |shared| shared.store.db().path().display().to_string()),
    fixed!("io-threads", |shared| shared.reactors().to_string()),
    number!("maxclients", clients_max, (1, u32::MAX as u64)),
    log!("commandlog-execution-slower-than", slow),
    length!("commandlog-large-reply-max-len", large_replies),
    length!("commandlog-large-request-max-len", large_requests),
    log!("commandlog-reply-larger-than", large_replies),
    log!("commandlog-request-larger-than", large_requests),
    length!("commandlog-slow-execution-max-len", slow),
    Parameter {
        name: "latency-monitor-threshold",
        show: |shared| shared.observers.latency.threshold_ms.get().to_string(),
        change: Some(|shared, value, dry| {
            let setting = &shared.observers.latency.threshold_ms;
            set_number(setting, value, (0, i64::MAX as u64), dry)?;
            shared.observers.retune();
            Ok(())
        }),
        change_tls: None,
    },
    fixed!("maxmemory", |shared| shared.options.memory_bytes.to_string()),
    fixed!("maxmemory-clients", |_| "0".to_owned()),
    Parameter {
        name: "maxmemory-policy",
        show: |_| "noeviction".to_owned(),
        change: Some(|_, value, _| match value.eq_ignore_ascii_case("noeviction") {
            true => Ok(()),
            false => Err("nothing is evicted: the data is on the disk and may be larger than \
                          maxmemory; only noeviction is known"
                .to_owned()),
        }),
        change_tls: None,
    },
    fixed!("maxmemory-samples", |_| "5".to_owned()),
    Parameter {
        name: "notify-keyspace-events",
        show: |shared| shared.store.notifications().classes().text(),
        change: Some(set_notifications),
        change_tls: None,
    },
    fixed!("port", |shared| shared.addresses.plain.first().map_or(0, |a| a.port()).to_string()),
    number!("proto-max-bulk-len", bulk_bytes_max, (1 << 20, 512 << 20)),
    Parameter {
        name: "protected-mode",
        show: |shared| yes_or_no(shared.settings.protected_mode.get() != 0),
        change: Some(set_protected_mode),
        change_tls: None,
    },
    Parameter {
        name: "requirepass",
        // Only a digest is kept.
        show: |_| String::new(),
        change: Some(|shared, value, dry| {
            if !dry {
                shared.acl.set_password(value);
            }
            Ok(())
        }),
        change_tls: None,
    },
    fixed!("save", |_| String::new()),
    log!("slowlog-log-slower-than", slow),
    length!("slowlog-max-len", slow),
    number!("tcp-keepalive", tcp_keepalive_s, (0, i32::MAX as u64)),
    number!("tracking-table-max-keys", tracked_keys_max, (0, u32::MAX as u64)),
    Parameter {
        name: "tls-auth-clients",
        show: |shared| shared.certificates.files().auth_clients.name().to_owned(),
        change: None,
        change_tls: Some(|files, value| {
            files.auth_clients = AuthClients::parse(value)
                .ok_or("argument(s) must be one of the following: no, yes, optional")?;
            Ok(())
        }),
    },
    tls_file!("tls-ca-cert-file", roots),
    tls_file!("tls-cert-file", certificate),
    tls_file!("tls-key-file", key),
    fixed!("tls-port", |shared| shared.addresses.tls.first().map_or(0, |a| a.port()).to_string()),
    number!("timeout", idle_timeout_s, (0, i32::MAX as u64)),
];

/// All parameters, sorted by name.
pub(super) fn parameters() -> &'static [Parameter] {
    PARAMETERS
}

fn channels_of_new_users(opens: bool) -> &'static str {
    if opens { "allchannels" } else { "resetchannels" }
}

fn set_channels_of_new_users(shared: &Shared, text: &str, dry: bool) -> Result<(), String> {
    let words = [true, false].map(channels_of_new_users);
    let place = words
        .iter()
        .position(|word| word.eq_ignore_ascii_case(text))
        .ok_or_else(|| format!("argument(s) must be one of the following: {}", words.join(", ")))?;
    if !dry {
        shared.acl.set_opens_channels(place == 0);
    }
    Ok(())
}

fn parse_number(text: &str, (min, max): (u64, u64)) -> Result<u64, String> {
    // A negative number is one, but below every range.
    let value = match parse_bytes(text) {
        None if text.parse::<i64>().is_err() => {
            return Err("argument couldn't be parsed into an integer".to_owned());
        }
        value => value.filter(|value| (min..=max).contains(value)),
    };
    value.ok_or_else(|| format!("argument must be between {min} and {max} inclusive"))
}

fn set_number(setting: &Setting, text: &str, range: (u64, u64), dry: bool) -> Result<(), String> {
    let value = parse_number(text, range)?;
    if !dry {
        setting.set(value);
    }
    Ok(())
}

fn show_threshold(log: &CommandLog) -> String {
    match log.threshold.get() {
        DISABLED => "-1".to_owned(),
        threshold => threshold.to_string(),
    }
}

fn set_threshold(shared: &Shared, log: &CommandLog, text: &str, dry: bool) -> Result<(), String> {
    match text {
        "-1" if dry => {}
        "-1" => log.threshold.set(DISABLED),
        _ => set_number(&log.threshold, text, (0, i64::MAX as u64), dry)?,
    }
    shared.observers.retune();
    Ok(())
}

/// A number with an optional unit: `k`, `kb`, `m`, `mb`, `g`, `gb`; those with `b` are powers of 1024.
fn parse_bytes(text: &str) -> Option<u64> {
    let text = text.to_ascii_lowercase();
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let scale: u64 = match &text[digits..] {
        "" | "b" => 1,
        "k" => 1000,
        "kb" => 1 << 10,
        "m" => 1_000_000,
        "mb" => 1 << 20,
        "g" => 1_000_000_000,
        "gb" => 1 << 30,
        _ => return None,
    };
    text[..digits].parse::<u64>().ok()?.checked_mul(scale)
}

fn set_appendfsync(shared: &Shared, text: &str, dry: bool) -> Result<(), String> {
    let level = AppendFsync::parse(text)
        .ok_or("argument(s) must be one of the following: everysec, always, no")?;
    if !dry {
        shared.store.set_appendfsync(level);
    }
    Ok(())
}

fn set_notifications(shared: &Shared, text: &str, dry: bool) -> Result<(), String> {
    let classes =
        Classes::parse(text).ok_or("Invalid event class character. Use 'Ag$lshzxeKEtmdn'.")?;
    if !dry {
        shared.store.notifications().set_classes(classes);
    }
    Ok(())
}

fn yes_or_no(flag: bool) -> String {
    if flag { "yes" } else { "no" }.to_owned()
}

fn set_protected_mode(shared: &Shared, text: &str, dry: bool) -> Result<(), String> {
    let is_on = match text.to_ascii_lowercase().as_str() {
        "yes" => true,
        "no" => false,
        _ => return Err("argument must be 'yes' or 'no'".to_owned()),
    };
    if !dry {
        shared.settings.protected_mode.set(u64::from(is_on));
    }
    Ok(())
}

fn output_limits(settings: &Settings) -> String {
    let class = |name: &str, limits: &OutputLimits| {
        let (hard, soft) = (limits.bytes_max.get(), limits.bytes_soft.get());
        format!("{name} {hard} {soft} {}", limits.soft_s.get())
    };
    let normal = class("normal", &settings.output_normal);
    format!("{normal} slave 0 0 0 {}", class("pubsub", &settings.output_pubsub))
}

/// `class hard soft seconds`, several times; there are no replicas.
fn set_output_limits(shared: &Shared, text: &str, dry: bool) -> Result<(), String> {
    let words: Vec<&str> = text.split_whitespace().collect();
    if words.is_empty() || words.len() % 4 != 0 {
        return Err("Wrong number of arguments in buffer limit configuration.".to_owned());
    }
    for group in words.chunks_exact(4) {
        let known = ["normal", "slave", "replica", "pubsub"];
        if !known.iter().any(|class| group[0].eq_ignore_ascii_case(class)) {
            return Err("Invalid client class specified in buffer limit configuration.".to_owned());
        }
        let number = |index: usize| {
            parse_bytes(group[index])
                .ok_or("Error in hard, soft or soft_seconds setting in buffer limit configuration.")
        };
        let (hard, soft, seconds) = (number(1)?, number(2)?, number(3)?);
        if !dry && group[0].eq_ignore_ascii_case("normal") {
            shared.settings.output_normal.set(hard, soft, seconds);
        } else if !dry && group[0].eq_ignore_ascii_case("pubsub") {
            shared.settings.output_pubsub.set(hard, soft, seconds);
        }
    }
    Ok(())
}
