//! Places inside a circle or a rectangle: GEOSEARCH, GEORADIUS and their variants.

use std::ops::Range;

use crate::collection::score;
use crate::geo::{Place, Shape, search_ranges};
use crate::key::{MetaKey, tag};
use crate::number::parse_double;
use crate::stop::{Outcome, SYNTAX, Stop};
use crate::store::Class;
use crate::value::Type;

use super::geo::{note_large, place, place_of, unit_m, write_distance, write_place};
use super::members::{Members, scan_members};
use super::{Call, is_word};
use crate::collection::packed::Items;

/// Bytes of a record's key in front of score and member.
const SCORE_AT: usize = 11;

/// Which command it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Form {
    Radius { stores: bool },
    RadiusByMember { stores: bool },
    Search,
    SearchStore,
}

impl Form {
    fn is_search(self) -> bool {
        matches!(self, Self::Search | Self::SearchStore)
    }

    /// First of the options.
    fn options_at(self) -> usize {
        match self {
            Self::Radius { .. } => 6,
            Self::RadiusByMember { .. } => 5,
            Self::Search => 2,
            Self::SearchStore => 3,
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Order {
    Any,
    Nearest,
    Farthest,
}

/// What was asked for.
struct Wish {
    center: Option<Place>,
    from_member: bool,
    from_place: bool,
    /// Shape and metres of its unit.
    shape: Option<(Shape, f64)>,
    order: Order,
    count: u64,
    takes_any: bool,
    with_distance: bool,
    with_hash: bool,
    with_place: bool,
    store: Option<usize>,
    stores_distance: bool,
}

/// A member inside.
struct Found {
    member: Vec<u8>,
    hash: u64,
    place: Place,
    distance_m: f64,
}

/// `GEOSEARCH key FROMMEMBER … | FROMLONLAT … BYRADIUS … | BYBOX … [ASC | DESC] [COUNT …] [WITH…]`
pub fn geosearch(call: &mut Call<'_>) -> Outcome {
    search(call, Form::Search)
}

/// `GEOSEARCHSTORE destination source … [STOREDIST]`
pub fn geosearchstore(call: &mut Call<'_>) -> Outcome {
    search(call, Form::SearchStore)
}

/// `GEORADIUS key longitude latitude radius unit … [STORE key | STOREDIST key]`
pub fn georadius(call: &mut Call<'_>) -> Outcome {
    search(call, Form::Radius { stores: true })
}

/// `GEORADIUS_RO key longitude latitude radius unit …`
pub fn georadius_ro(call: &mut Call<'_>) -> Outcome {
    search(call, Form::Radius { stores: false })
}

/// `GEORADIUSBYMEMBER key member radius unit … [STORE key | STOREDIST key]`
pub fn georadiusbymember(call: &mut Call<'_>) -> Outcome {
    search(call, Form::RadiusByMember { stores: true })
}

/// `GEORADIUSBYMEMBER_RO key member radius unit …`
pub fn georadiusbymember_ro(call: &mut Call<'_>) -> Outcome {
    search(call, Form::RadiusByMember { stores: false })
}

fn search(call: &mut Call<'_>, form: Form) -> Outcome {
    let source = call.key(if form == Form::SearchStore { 2 } else { 1 })?;
    let mut keys = vec![source.clone()];
    keys.extend(store_argument(call, form).map(|at| call.key(at)).transpose()?);
    let _locks = call.store.lock_all_of(call.mode, &keys)?;
    let set = Members::open(call, source, Type::SortedSet, false)?;
    call.count_lookup(set.exists());
    let wish = options(call, form, &set)?;
    check(call, form, &wish)?;
    let mut found = match (wish.center, wish.shape) {
        (Some(center), Some((shape, _))) if set.exists() => {
            inside(call, &set, center, &shape, if wish.takes_any { wish.count } else { 0 })?
        }
        _ => Vec::new(),
    };
    // Some of the places are the nearest ones, unless any will do.
    let order = match wish.order {
        Order::Any if wish.count > 0 && !wish.takes_any => Order::Nearest,
        order => order,
    };
    match order {
        Order::Nearest => found.sort_by(|a, b| a.distance_m.total_cmp(&b.distance_m)),
        Order::Farthest => found.sort_by(|a, b| b.distance_m.total_cmp(&a.distance_m)),
        Order::Any => {}
    }
    if wish.count > 0 {
        found.truncate(usize::try_from(wish.count).unwrap_or(usize::MAX));
    }
    match wish.store {
        Some(at) => store(call, at, &wish, &found),
        None => {
            write(call, &wish, &found);
            Ok(())
        }
    }
}

/// Where the destination is, if there is one: needed before the options can be read.
fn store_argument(call: &Call<'_>, form: Form) -> Option<usize> {
    match form {
        Form::SearchStore => Some(1),
        Form::Radius { stores: true } | Form::RadiusByMember { stores: true } => {
            let is_store = |word| is_word(word, "store") || is_word(word, "storedist");
            let last = call.args.len().checked_sub(1)?;
            (form.options_at()..last).rev().find(|at| is_store(call.args.get(*at))).map(|at| at + 1)
        }
        _ => None,
    }
}

fn distance(call: &Call<'_>, at: usize, what: &str) -> Result<f64, Stop> {
    parse_double(call.args.get(at)).ok_or_else(|| Stop::fail(format!("ERR need numeric {what}")))
}

/// A radius and its unit.
fn circle(call: &Call<'_>, at: usize) -> Result<(Shape, f64), Stop> {
    let radius = distance(call, at, "radius")?;
    if radius < 0.0 {
        return Err(Stop::fail("ERR radius cannot be negative"));
    }
    let unit = unit_m(call.args.get(at + 1))?;
    Ok((Shape::Circle { radius_m: radius * unit }, unit))
}

/// Width, height and their unit.
fn rectangle(call: &Call<'_>, at: usize) -> Result<(Shape, f64), Stop> {
    let (width, height) = (distance(call, at, "width")?, distance(call, at + 1, "height")?);
    if width < 0.0 || height < 0.0 {
        return Err(Stop::fail("ERR height or width cannot be negative"));
    }
    let unit = unit_m(call.args.get(at + 2))?;
    Ok((Shape::Box { width_m: width * unit, height_m: height * unit }, unit))
}

fn member_place(call: &Call<'_>, set: &Members, at: usize) -> Result<Place, Stop> {
    let score = set.presence(call, call.args.get(at))?;
    score.map(place_of).ok_or_else(|| Stop::fail("ERR could not decode requested zset member"))
}

fn options(call: &Call<'_>, form: Form, set: &Members) -> Result<Wish, Stop> {
    let mut wish = Wish {
        center: None,
        from_member: false,
        from_place: false,
        shape: None,
        order: Order::Any,
        count: 0,
        takes_any: false,
        with_distance: false,
        with_hash: false,
        with_place: false,
        store: (form == Form::SearchStore).then_some(1),
        stores_distance: false,
    };
    match form {
        Form::Radius { .. } => {
            wish.center = Some(place(call, 2)?);
            wish.shape = Some(circle(call, 4)?);
        }
        Form::RadiusByMember { .. } if set.exists() => {
            wish.center = Some(member_place(call, set, 2)?);
            wish.shape = Some(circle(call, 3)?);
        }
        _ => {}
    }
    let mut at = form.options_at();
    while at < call.args.len() {
        at = option(call, form, set, &mut wish, at)?;
    }
    Ok(wish)
}

/// Reads the option at argument `at`; the argument behind it.
fn option(
    call: &Call<'_>,
    form: Form,
    set: &Members,
    wish: &mut Wish,
    at: usize,
) -> Result<usize, Stop> {
    let (word, more) = (call.args.get(at), call.args.len() - at - 1);
    match () {
        () if is_word(word, "withdist") => wish.with_distance = true,
        () if is_word(word, "withhash") => wish.with_hash = true,
        () if is_word(word, "withcoord") => wish.with_place = true,
        () if is_word(word, "any") => wish.takes_any = true,
        () if is_word(word, "asc") => wish.order = Order::Nearest,
        () if is_word(word, "desc") => wish.order = Order::Farthest,
        () if is_word(word, "count") && more > 0 => {
            let count = u64::try_from(call.integer(at + 1)?).ok().filter(|count| *count > 0);
            wish.count = count.ok_or_else(|| Stop::fail("ERR COUNT must be > 0"))?;
            return Ok(at + 2);
        }
        () if form.is_search() => return search_option(call, form, set, wish, at),
        () if more > 0 && store_argument(call, form).is_some() => {
            wish.stores_distance = is_word(word, "storedist");
            if !wish.stores_distance && !is_word(word, "store") {
                return Err(SYNTAX);
            }
            wish.store = Some(at + 1);
            return Ok(at + 2);
        }
        () => return Err(SYNTAX),
    }
    Ok(at + 1)
}

fn search_option(
    call: &Call<'_>,
    form: Form,
    set: &Members,
    wish: &mut Wish,
    at: usize,
) -> Result<usize, Stop> {
    let (word, more) = (call.args.get(at), call.args.len() - at - 1);
    let is_circle = matches!(wish.shape, Some((Shape::Circle { .. }, _)));
    let is_box = matches!(wish.shape, Some((Shape::Box { .. }, _)));
    if is_word(word, "frommember") && more > 0 && !wish.from_place {
        if set.exists() {
            wish.center = Some(member_place(call, set, at + 1)?);
        }
        wish.from_member = true;
        return Ok(at + 2);
    }
    if is_word(word, "fromlonlat") && more > 1 && !wish.from_member {
        wish.center = Some(place(call, at + 1)?);
        wish.from_place = true;
        return Ok(at + 3);
    }
    if is_word(word, "byradius") && more > 1 && !is_box {
        wish.shape = Some(circle(call, at + 1)?);
        return Ok(at + 3);
    }
    if is_word(word, "bybox") && more > 2 && !is_circle {
        wish.shape = Some(rectangle(call, at + 1)?);
        return Ok(at + 4);
    }
    if is_word(word, "storedist") && form == Form::SearchStore {
        wish.stores_distance = true;
        return Ok(at + 1);
    }
    Err(SYNTAX)
}

fn check(call: &Call<'_>, form: Form, wish: &Wish) -> Outcome {
    if wish.store.is_some() && (wish.with_distance || wish.with_hash || wish.with_place) {
        let who = match form {
            Form::SearchStore => "GEOSEARCHSTORE",
            _ => "STORE option in GEORADIUS",
        };
        return Err(Stop::fail(format!(
            "ERR {who} is not compatible with WITHDIST, WITHHASH and WITHCOORD options"
        )));
    }
    let name = call.args.get(0);
    if form.is_search() && !(wish.from_member || wish.from_place) {
        let text = b"ERR exactly one of FROMMEMBER or FROMLONLAT can be specified for ";
        return Err(Stop::quoting(&[text, name]));
    }
    if form.is_search() && wish.shape.is_none() {
        let text = b"ERR exactly one of BYRADIUS and BYBOX can be specified for ";
        return Err(Stop::quoting(&[text, name]));
    }
    if wish.takes_any && wish.count == 0 {
        return Err(Stop::fail("ERR the ANY argument requires COUNT argument"));
    }
    Ok(())
}

/// Members inside the shape; `limit`: enough of them, 0: all.
fn inside(
    call: &Call<'_>,
    set: &Members,
    center: Place,
    shape: &Shape,
    limit: u64,
) -> Result<Vec<Found>, Stop> {
    let mut found = Vec::new();
    for range in search_ranges(shape, center) {
        let mut add = |member: &[u8], score: f64| {
            let hash = score as u64;
            let place = Place::of_hash(hash);
            if let Some(distance_m) = shape.distance_inside_m(center, place) {
                found.push(Found { member: member.to_vec(), hash, place, distance_m });
            }
            limit == 0 || (found.len() as u64) < limit
        };
        if !each_in_range(call, set, &range, &mut add)? {
            break;
        }
    }
    Ok(found)
}

/// Gives the members with scores in a range to `add` until it says no; whether it never did.
fn each_in_range(
    call: &Call<'_>,
    set: &Members,
    range: &Range<u64>,
    add: &mut impl FnMut(&[u8], f64) -> bool,
) -> Result<bool, Stop> {
    let (low, high) = (range.start as f64, range.end as f64);
    if let Some(items) = set.packed() {
        let mut items = Items::new(items);
        while let (Some(member), Some(value)) = (items.next(), items.next()) {
            let score = score::decode(value);
            if (low..high).contains(&score) && !add(member, score) {
                return Ok(false);
            }
        }
        return Ok(true);
    }
    let Some(id) = set.id() else { return Ok(true) };
    let lower = id.key(tag::ZSET_SCORE, &[&score::encode(low)]).to_vec();
    let upper = id.key(tag::ZSET_SCORE, &[&score::encode(high)]).to_vec();
    let pair = call.store.keyspaces(call.session.database);
    let mut walk = scan_members(call, pair, lower, Some(upper))?;
    while let Some((key, _)) = walk.next()? {
        let (value, member) = key
            .get(SCORE_AT..)
            .and_then(|rest| rest.split_at_checked(score::SCORE_BYTES))
            .unwrap_or_default();
        if !add(member, score::decode(value)) {
            return Ok(false);
        }
    }
    Ok(true)
}

fn write(call: &mut Call<'_>, wish: &Wish, found: &[Found]) {
    let unit = wish.shape.map_or(1.0, |(_, unit)| unit);
    let options = [wish.with_distance, wish.with_hash, wish.with_place];
    let parts = options.into_iter().filter(|wanted| *wanted).count();
    let reply = &mut call.reply;
    reply.array(found.len());
    for one in found {
        if parts > 0 {
            reply.array(parts + 1);
        }
        reply.bulk(&one.member);
        if wish.with_distance {
            write_distance(reply, one.distance_m / unit);
        }
        if wish.with_hash {
            reply.integer(one.hash as i64);
        }
        if wish.with_place {
            write_place(reply, one.place);
        }
    }
}

/// Replaces the destination by what was found.
fn store(call: &mut Call<'_>, at: usize, wish: &Wish, found: &[Found]) -> Outcome {
    let unit = wish.shape.map_or(1.0, |(_, unit)| unit);
    let key: MetaKey = call.key(at)?;
    if found.is_empty() {
        if call.exists(&key)? {
            call.delete(&key)?;
            call.notify(Class::Generic, "del", call.args.get(at));
        }
        call.reply.integer(0);
        return Ok(());
    }
    call.begin();
    let mut set = Members::replacing(call, key, Type::SortedSet);
    for one in found {
        let score = if wish.stores_distance { one.distance_m / unit } else { one.hash as f64 };
        set.write(call, &one.member, &score::encode(score), None)?;
        note_large(&mut set, &one.member);
    }
    set.commit(call)?;
    let event = if is_word(call.args.get(0), "geosearchstore") {
        "geosearchstore"
    } else {
        "georadiusstore"
    };
    call.notify(Class::SortedSet, event, call.args.get(at));
    call.reply.integer(found.len() as i64);
    Ok(())
}
