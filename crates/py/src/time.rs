//! Times to live as Python writes them.

use pyo3::prelude::*;
use pyo3::types::{PyDelta, PyDeltaAccess};

use crate::error::{invalid, wrong_type};
use crate::handle::Handle;
use crate::namespace::Place;

/// Longest time to live, in milliseconds (about 31,700 years).
const TTL_MS_MAX: f64 = 1e15;

/// When a record is to expire, as the arguments `ttl` and `expires_at` of a write say.
#[derive(Clone, Copy, Default)]
pub struct Lifetime<'a, 'py> {
    /// From now on.
    pub ttl: Option<&'a Bound<'py, PyAny>>,
    /// Seconds since the Unix epoch.
    pub expires_at: Option<f64>,
}

impl Lifetime<'_, '_> {
    /// Expiry instant of a record written now to `place`, 0 for none.
    #[inline]
    pub fn end_ms(self, place: Place, handle: &Handle) -> PyResult<u64> {
        match (self.ttl, self.expires_at) {
            (None, None) if place.ttl_ms == 0 => Ok(0),
            (None, None) => Ok(handle.now_ms().saturating_add(place.ttl_ms)),
            (Some(ttl), None) => Ok(handle.now_ms() + ttl_ms(ttl)?),
            (None, Some(instant)) => instant_ms(instant),
            (Some(_), Some(_)) => Err(invalid("ttl and expires_at exclude each other")),
        }
    }
}

/// An instant in milliseconds since the Unix epoch, given in seconds. One in the past is fine: the
/// record is expired at once.
fn instant_ms(seconds: f64) -> PyResult<u64> {
    let ms = (seconds * 1000.0).round();
    if !(1.0..=TTL_MS_MAX).contains(&ms) {
        return Err(invalid(format!(
            "expires_at of {seconds} s is no time since 1970; give seconds since the Unix epoch"
        )));
    }
    Ok(ms as u64)
}

/// An instant as Python sees it: seconds since the Unix epoch, `None` for never.
pub fn instant(expire_at_ms: u64) -> Option<f64> {
    (expire_at_ms != 0).then_some(expire_at_ms as f64 / 1000.0)
}

/// A time to live in milliseconds: seconds as a number, or a `timedelta`.
pub fn ttl_ms(ttl: &Bound<'_, PyAny>) -> PyResult<u64> {
    let ms = if let Ok(delta) = ttl.cast::<PyDelta>() {
        f64::from(delta.get_days()) * 86_400_000.0
            + f64::from(delta.get_seconds()) * 1000.0
            + f64::from(delta.get_microseconds()) / 1000.0
    } else {
        let Ok(seconds) = ttl.extract::<f64>() else {
            let kind = ttl.get_type().name()?;
            return Err(wrong_type(format!("ttl is seconds or a timedelta, not {kind}")));
        };
        seconds * 1000.0
    };
    if !(ms > 0.0 && ms <= TTL_MS_MAX) {
        return Err(invalid(format!(
            "ttl of {} s is outside 0 < ttl <= 1e12; use delete to remove a key at once",
            ms / 1000.0
        )));
    }
    Ok(ms.ceil() as u64)
}
