//! Times to live as Python writes them.

use pyo3::prelude::*;
use pyo3::types::{PyDelta, PyDeltaAccess};

use crate::error::{invalid, wrong_type};
use crate::handle::Handle;
use crate::namespace::Place;

/// Longest time to live, in milliseconds (about 31,700 years).
const TTL_MS_MAX: f64 = 1e15;

/// Expiry instant of a record written now to `place`, 0 for none.
#[inline]
pub fn expire_at_ms(
    ttl: Option<&Bound<'_, PyAny>>,
    place: Place,
    handle: &Handle,
) -> PyResult<u64> {
    match ttl {
        None if place.ttl_ms == 0 => Ok(0),
        None => Ok(handle.now_ms().saturating_add(place.ttl_ms)),
        Some(ttl) => Ok(handle.now_ms() + ttl_ms(ttl)?),
    }
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
