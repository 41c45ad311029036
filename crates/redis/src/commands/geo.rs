//! Places as members of a sorted set: GEOADD, GEODIST, GEOHASH, GEOPOS.

use crate::collection::score;
use crate::geo::Place;
use crate::number::parse_double;
use crate::resp::{Protocol, Reply};
use crate::stop::{NOT_A_FLOAT, Outcome, SYNTAX, Stop};
use crate::store::Class;
use crate::value::Type;

use super::members::{Members, Score};
use super::{Call, is_word};

/// Most members in Redis's compact encoding.
const COMPACT_MEMBERS_MAX: u64 = 128;
/// Longest member in Redis's compact encoding.
const COMPACT_BYTES_MAX: usize = 64;
/// Digits behind the point of a coordinate.
const COORDINATE_DIGITS: usize = 17;

/// `GEOADD key [NX | XX] [CH] longitude latitude member [longitude latitude member …]`
pub fn geoadd(call: &mut Call<'_>) -> Outcome {
    let args = call.args;
    let (mut only_new, mut only_old, mut counts_changes, mut at) = (false, false, false, 2);
    while at < args.len() {
        match args.get(at) {
            word if is_word(word, "nx") => only_new = true,
            word if is_word(word, "xx") => only_old = true,
            word if is_word(word, "ch") => counts_changes = true,
            _ => break,
        }
        at += 1;
    }
    if at == args.len() || (args.len() - at) % 3 != 0 || (only_new && only_old) {
        return Err(SYNTAX);
    }
    let places =
        (at..args.len()).step_by(3).map(|at| place(call, at)).collect::<Result<Vec<_>, _>>()?;
    let key = call.key(1)?;
    let _lock = call.lock(&key)?;
    call.begin();
    let mut set = Members::open(call, key, Type::SortedSet, places.len() > 1)?;
    let (mut added, mut changed) = (0, 0);
    for (index, place) in places.into_iter().enumerate() {
        let member = args.get(at + 3 * index + 2);
        let score = score::encode(place.hash() as f64);
        let old = set.presence(call, member)?;
        if if old.is_some() { only_new } else { only_old } || old == Some(score) {
            continue;
        }
        set.write(call, member, &score, old)?;
        added += i64::from(old.is_none());
        changed += 1;
        note_large(&mut set, member);
    }
    set.commit(call)?;
    if changed > 0 {
        call.notify(Class::SortedSet, "zadd", args.get(1));
    }
    call.reply.integer(if counts_changes { changed } else { added });
    Ok(())
}

/// Notes what makes Redis leave its compact encoding.
pub(super) fn note_large(set: &mut Members, written: &[u8]) {
    set.set_large(set.len() > COMPACT_MEMBERS_MAX || written.len() > COMPACT_BYTES_MAX);
}

/// Reads a longitude and a latitude.
pub(super) fn place(call: &Call<'_>, at: usize) -> Result<Place, Stop> {
    let number = |at| parse_double(call.args.get(at)).ok_or(NOT_A_FLOAT);
    let place = Place { longitude: number(at)?, latitude: number(at + 1)? };
    if place.is_valid() {
        return Ok(place);
    }
    let Place { longitude, latitude } = place;
    Err(Stop::fail(format!("ERR invalid longitude,latitude pair {longitude:.6},{latitude:.6}")))
}

/// Metres of a unit.
pub(super) fn unit_m(text: &[u8]) -> Result<f64, Stop> {
    for (name, metres) in [("m", 1.0), ("km", 1000.0), ("ft", 0.3048), ("mi", 1609.34)] {
        if is_word(text, name) {
            return Ok(metres);
        }
    }
    Err(Stop::fail("ERR unsupported unit provided. please use M, KM, FT, MI"))
}

/// The place that a score names.
pub(super) fn place_of(score: Score) -> Place {
    Place::of_hash(score::decode(&score) as u64)
}

/// `GEODIST key member1 member2 [M | KM | FT | MI]`
pub fn geodist(call: &mut Call<'_>) -> Outcome {
    let unit = match call.args.len() {
        4 => 1.0,
        5 => unit_m(call.args.get(4))?,
        _ => return Err(SYNTAX),
    };
    let key = call.key(1)?;
    let _lock = call.lock(&key)?;
    let set = Members::open(call, key, Type::SortedSet, false)?;
    call.count_lookup(set.exists());
    let first = set.presence(call, call.args.get(2))?;
    let second = set.presence(call, call.args.get(3))?;
    match (first, second) {
        (Some(first), Some(second)) => {
            let distance_m = place_of(first).distance_m(place_of(second));
            write_distance(&mut call.reply, distance_m / unit);
        }
        _ => call.reply.null(),
    }
    Ok(())
}

/// `GEOHASH key [member …]`
pub fn geohash(call: &mut Call<'_>) -> Outcome {
    each_place(call, |reply, place| match place {
        Some(place) => reply.bulk(place.text().as_bytes()),
        None => reply.null(),
    })
}

/// `GEOPOS key [member …]`
pub fn geopos(call: &mut Call<'_>) -> Outcome {
    each_place(call, |reply, place| match place {
        Some(place) => write_place(reply, place),
        None => reply.null_array(),
    })
}

fn each_place(call: &mut Call<'_>, write: impl Fn(&mut Reply<'_>, Option<Place>)) -> Outcome {
    let key = call.key(1)?;
    let _lock = call.lock(&key)?;
    let set = Members::open(call, key, Type::SortedSet, false)?;
    call.count_lookup(set.exists());
    let args = call.args;
    call.reply.array(args.len() - 2);
    for member in args.from(2) {
        let score = set.presence(call, member)?;
        write(&mut call.reply, score.map(place_of));
    }
    Ok(())
}

pub(super) fn write_distance(reply: &mut Reply<'_>, distance: f64) {
    reply.bulk(format!("{distance:.4}").as_bytes());
}

pub(super) fn write_place(reply: &mut Reply<'_>, place: Place) {
    reply.array(2);
    for coordinate in [place.longitude, place.latitude] {
        let text = format!("{coordinate:.COORDINATE_DIGITS$}");
        let text = text.trim_end_matches('0').trim_end_matches('.');
        let text = if text == "-0" { "0" } else { text };
        match reply.protocol() {
            Protocol::Resp2 => reply.bulk(text.as_bytes()),
            Protocol::Resp3 => reply.raw(format!(",{text}\r\n").as_bytes()),
        }
    }
}
