//! CLIENT TRACKING, CACHING, GETREDIR, TRACKINGINFO.

use std::sync::atomic::Ordering;

use aidb_redis::number::parse_integer;
use aidb_redis::stop::{NOT_AN_INTEGER, SYNTAX};
use aidb_redis::{Outcome, Stop};

use crate::tracking::{Tracked, Wish};

use super::NodeCall;

/// `CLIENT TRACKING ON | OFF [REDIRECT id] [PREFIX prefix] … [BCAST] [OPTIN] [OPTOUT] [NOLOOP]`
pub(super) fn tracking(call: &mut NodeCall<'_>) -> Outcome {
    let mut wish = options(call)?;
    if call.is_word(2, "off") {
        call.state.tracking = None;
        call.reply.ok();
        return Ok(());
    }
    if !call.is_word(2, "on") {
        return Err(SYNTAX);
    }
    let old = call.state.tracking.as_ref().map(|tracked| &tracked.wish);
    check(&wish, old)?;
    if wish.broadcasts {
        let held = old.map_or(&[][..], |old| &old.prefixes);
        check_prefixes(&wish.prefixes, held)?;
        let mut prefixes = held.to_vec();
        prefixes.append(&mut wish.prefixes);
        wish.prefixes = prefixes;
        if wish.prefixes.is_empty() {
            wish.prefixes.push(Vec::new());
        }
    }
    // Ending the old tracking must not undo the new one.
    call.state.tracking = None;
    call.state.tracking = Some(Box::new(Tracked::new(call.shared(), call.client, wish)));
    call.reply.ok();
    Ok(())
}

fn options(call: &NodeCall<'_>) -> Result<Wish, Stop> {
    let mut wish = Wish::default();
    let mut at = 3;
    while at < call.args.len() {
        let has_more = at + 1 < call.args.len();
        match call.args.get(at).to_ascii_lowercase().as_slice() {
            b"redirect" if has_more => {
                at += 1;
                wish.redirect = redirect(call, at, wish.redirect)?;
            }
            b"prefix" if has_more => {
                at += 1;
                wish.prefixes.push(call.args.get(at).to_vec());
            }
            b"bcast" => wish.broadcasts = true,
            b"optin" => wish.opts_in = true,
            b"optout" => wish.opts_out = true,
            b"noloop" => wish.no_loop = true,
            _ => return Err(SYNTAX),
        }
        at += 1;
    }
    Ok(wish)
}

fn redirect(call: &NodeCall<'_>, at: usize, old: Option<u64>) -> Result<Option<u64>, Stop> {
    if old.is_some() {
        return Err(Stop::fail("ERR A client can only redirect to a single other client"));
    }
    let id = parse_integer(call.args.get(at)).ok_or(NOT_AN_INTEGER)?;
    u64::try_from(id)
        .ok()
        .filter(|id| call.shared().clients.get(*id).is_some())
        .map(Some)
        .ok_or_else(|| Stop::fail("ERR The client ID you want redirect to does not exist"))
}

/// Whether a wish makes sense, also behind the one there is.
fn check(wish: &Wish, old: Option<&Wish>) -> Outcome {
    let refusal = if !wish.broadcasts && !wish.prefixes.is_empty() {
        "ERR PREFIX option requires BCAST mode to be enabled"
    } else if old.is_some_and(|old| old.broadcasts != wish.broadcasts) {
        "ERR You can't switch BCAST mode on/off before disabling tracking for this client, and then \
         re-enabling it with a different mode."
    } else if wish.broadcasts && (wish.opts_in || wish.opts_out) {
        "ERR OPTIN and OPTOUT are not compatible with BCAST"
    } else if wish.opts_in && wish.opts_out {
        "ERR You can't specify both OPTIN mode and OPTOUT mode"
    } else if old
        .is_some_and(|old| (wish.opts_in && old.opts_out) || (wish.opts_out && old.opts_in))
    {
        "ERR You can't switch OPTIN/OPTOUT mode before disabling tracking for this client, and then \
         re-enabling it with a different mode."
    } else {
        return Ok(());
    };
    Err(Stop::fail(refusal))
}

fn check_prefixes(given: &[Vec<u8>], held: &[Vec<u8>]) -> Outcome {
    let overlap = |one: &[u8], other: &[u8]| one.starts_with(other) || other.starts_with(one);
    const END: &[u8] = b"'. Prefixes for a single client must not overlap.";
    for (index, prefix) in given.iter().enumerate() {
        if let Some(other) = held.iter().find(|other| overlap(prefix, other)) {
            let middle = b"' overlaps with an existing prefix '";
            return Err(Stop::quoting(&[b"ERR Prefix '", prefix, middle, other, END]));
        }
        if let Some(other) = given[index + 1..].iter().find(|other| overlap(prefix, other)) {
            let middle = b"' overlaps with another provided prefix '";
            return Err(Stop::quoting(&[b"ERR Prefix '", prefix, middle, other, END]));
        }
    }
    Ok(())
}

/// `CLIENT CACHING YES | NO`
pub(super) fn caching(call: &mut NodeCall<'_>) -> Outcome {
    let (yes, no) = (call.is_word(2, "yes"), call.is_word(2, "no"));
    let tracked = call.state.tracking.as_mut();
    let Some(tracked) = tracked else {
        return Err(Stop::fail(
            "ERR CLIENT CACHING can be called only when the client is in tracking mode with OPTIN \
             or OPTOUT mode enabled",
        ));
    };
    if yes && !tracked.wish.opts_in {
        return Err(Stop::fail(
            "ERR CLIENT CACHING YES is only valid when tracking is enabled in OPTIN mode.",
        ));
    }
    if no && !tracked.wish.opts_out {
        return Err(Stop::fail(
            "ERR CLIENT CACHING NO is only valid when tracking is enabled in OPTOUT mode.",
        ));
    }
    if !yes && !no {
        return Err(SYNTAX);
    }
    tracked.is_caching = true;
    call.reply.ok();
    Ok(())
}

/// `CLIENT GETREDIR`
pub(super) fn get_redirect(call: &mut NodeCall<'_>) {
    let shown = call.client.redirect.load(Ordering::Relaxed);
    call.reply.integer(shown);
}

/// `CLIENT TRACKINGINFO`
pub(super) fn info(call: &mut NodeCall<'_>) {
    let mut flags = Vec::new();
    let mut prefixes = Vec::new();
    match &call.state.tracking {
        None => flags.push("off"),
        Some(tracked) => {
            flags.push("on");
            let wish = &tracked.wish;
            prefixes.clone_from(&wish.prefixes);
            prefixes.sort_unstable();
            flags.extend(wish.broadcasts.then_some("bcast"));
            flags.extend(wish.opts_in.then_some("optin"));
            flags.extend((wish.opts_in && tracked.is_caching).then_some("caching-yes"));
            flags.extend(wish.opts_out.then_some("optout"));
            flags.extend((wish.opts_out && tracked.is_caching).then_some("caching-no"));
            flags.extend(wish.no_loop.then_some("noloop"));
            let is_broken = call.client.is_redirect_broken.load(Ordering::Relaxed);
            flags.extend(is_broken.then_some("broken_redirect"));
        }
    }
    call.reply.map(3);
    call.reply.bulk(b"flags");
    call.reply.set(flags.len());
    flags.iter().for_each(|flag| call.reply.bulk(flag.as_bytes()));
    call.reply.bulk(b"redirect");
    get_redirect(call);
    call.reply.bulk(b"prefixes");
    call.reply.array(prefixes.len());
    prefixes.iter().for_each(|prefix| call.reply.bulk(prefix));
}
