//! Options of SET, GETEX and MSETEX: condition, expiry, KEEPTTL, PERSIST, GET.

use crate::number::parse_integer;
use crate::resp::Args;
use crate::stop::{NOT_AN_INTEGER, SYNTAX, Stop};

use super::is_word;
use super::string_conditions::Comparison;

/// What happens to the expiry.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ExpiryOption {
    /// Nothing was said.
    #[default]
    Unsaid,
    /// KEEPTTL.
    Keep,
    /// PERSIST.
    Persist,
    /// A point in time, milliseconds since the epoch.
    At(u64),
}

/// When SET may write.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum SetCondition {
    /// Always.
    #[default]
    Always,
    /// NX.
    IfAbsent,
    /// XX.
    IfPresent,
    /// IFEQ, IFNE, IFDEQ, IFDNE, and the argument that the string is compared with.
    If(Comparison, usize),
}

impl SetCondition {
    fn is_unsaid(self) -> bool {
        self == Self::Always
    }

    /// Whether an absent key may be written.
    pub fn permits_absence(self) -> bool {
        match self {
            Self::Always | Self::IfAbsent => true,
            Self::IfPresent => false,
            Self::If(comparison, _) => comparison.accepts_absence(),
        }
    }

    /// Whether a key that holds `value` may be written.
    pub fn permits(self, args: &Args<'_>, value: &[u8]) -> bool {
        match self {
            Self::Always | Self::IfPresent => true,
            Self::IfAbsent => false,
            Self::If(comparison, operand) => comparison.accepts(value, args.get(operand)),
        }
    }
}

/// Parsed options.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SetOptions {
    /// NX or XX.
    pub condition: SetCondition,
    /// EX, PX, EXAT, PXAT, KEEPTTL or PERSIST.
    pub expiry: ExpiryOption,
    /// GET.
    pub get: bool,
    /// Argument and unit of a time that is not resolved yet.
    time: Option<(usize, TimeUnit)>,
}

/// Which command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Family {
    /// SET.
    Set,
    /// GETEX.
    GetEx,
    /// MSETEX.
    MSetEx,
}

/// Unit and base of a time argument.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TimeUnit {
    /// Milliseconds per unit.
    pub scale: i64,
    /// Counted from now instead of from the epoch.
    pub relative: bool,
}

/// EX, EXPIRE.
pub const SECONDS: TimeUnit = TimeUnit { scale: 1000, relative: true };
/// PX, PEXPIRE.
pub const MILLISECONDS: TimeUnit = TimeUnit { scale: 1, relative: true };
/// EXAT, EXPIREAT.
pub const UNIX_SECONDS: TimeUnit = TimeUnit { scale: 1000, relative: false };
/// PXAT, PEXPIREAT.
pub const UNIX_MILLISECONDS: TimeUnit = TimeUnit { scale: 1, relative: false };

/// Parses the options from argument `from` on; the number behind a time is left for
/// [`SetOptions::resolve`], because Redis looks at it later.
///
/// # Errors
/// `syntax error`.
pub fn parse(args: &Args<'_>, from: usize, family: Family) -> Result<SetOptions, Stop> {
    let mut options = SetOptions::default();
    let mut time: Option<(usize, TimeUnit)> = None;
    let mut keeps = None;
    let mut at = from;
    while at < args.len() {
        let word = args.get(at);
        let has_more = at + 1 < args.len();
        let unit = time_unit(word).filter(|unit| {
            // A repeated unit is fine and the last one counts; two different ones are not.
            has_more && keeps.is_none() && time.is_none_or(|(_, earlier)| earlier == *unit)
        });
        if let Some(unit) = unit {
            time = Some((at + 1, unit));
            at += 1;
        } else if family == Family::GetEx && is_word(word, "persist") && time.is_none() {
            keeps = Some(ExpiryOption::Persist);
        } else if family != Family::GetEx && is_word(word, "keepttl") && time.is_none() {
            keeps = Some(ExpiryOption::Keep);
        } else if let (Family::Set, true, Some(comparison)) =
            (family, has_more && options.condition.is_unsaid(), Comparison::parse(word))
        {
            comparison.check(args.get(at + 1))?;
            options.condition = SetCondition::If(comparison, at + 1);
            at += 1;
        } else if family == Family::GetEx || !plain_option(word, family, &mut options) {
            return Err(SYNTAX);
        }
        at += 1;
    }
    options.time = time;
    options.expiry = keeps.unwrap_or_default();
    Ok(options)
}

impl SetOptions {
    /// The same options with the time as a point in time.
    ///
    /// # Errors
    /// `value is not an integer`, `invalid expire time in '…' command`.
    pub fn resolve(mut self, args: &Args<'_>, family: Family, now_ms: u64) -> Result<Self, Stop> {
        if let Some((index, unit)) = self.time {
            let at = expire_at(args.get(index), unit, family.name(), now_ms)?;
            self.expiry = ExpiryOption::At(at);
        }
        Ok(self)
    }
}

impl Family {
    fn name(self) -> &'static str {
        match self {
            Self::Set => "set",
            Self::GetEx => "getex",
            Self::MSetEx => "msetex",
        }
    }
}

fn plain_option(word: &[u8], family: Family, options: &mut SetOptions) -> bool {
    let may_be = |condition| options.condition.is_unsaid() || options.condition == condition;
    if is_word(word, "nx") && may_be(SetCondition::IfAbsent) {
        options.condition = SetCondition::IfAbsent;
    } else if is_word(word, "xx") && may_be(SetCondition::IfPresent) {
        options.condition = SetCondition::IfPresent;
    } else if family == Family::Set && is_word(word, "get") {
        options.get = true;
    } else {
        return false;
    }
    true
}

/// The unit that EX, PX, EXAT and PXAT name.
pub(super) fn time_unit(word: &[u8]) -> Option<TimeUnit> {
    match word.len() {
        2 if is_word(word, "ex") => Some(SECONDS),
        2 if is_word(word, "px") => Some(MILLISECONDS),
        4 if is_word(word, "exat") => Some(UNIX_SECONDS),
        4 if is_word(word, "pxat") => Some(UNIX_MILLISECONDS),
        _ => None,
    }
}

/// Expiry of a value that must lie in the future's direction: positive and without overflow.
///
/// # Errors
/// `value is not an integer`, `invalid expire time in '…' command`.
pub fn expire_at(text: &[u8], unit: TimeUnit, command: &str, now_ms: u64) -> Result<u64, Stop> {
    let amount = parse_integer(text).ok_or(NOT_AN_INTEGER)?;
    if amount <= 0 {
        return Err(invalid_expiry(command));
    }
    absolute(amount, unit, now_ms).ok_or_else(|| invalid_expiry(command)).map(|at| at as u64)
}

/// Milliseconds since the epoch of `amount`; `None` on overflow. May be negative.
pub fn absolute(amount: i64, unit: TimeUnit, now_ms: u64) -> Option<i64> {
    let scaled = amount.checked_mul(unit.scale)?;
    if unit.relative { scaled.checked_add(now_ms as i64) } else { Some(scaled) }
}

/// `ERR invalid expire time in '…' command`.
pub fn invalid_expiry(command: &str) -> Stop {
    Stop::fail(format!("ERR invalid expire time in '{command}' command"))
}
