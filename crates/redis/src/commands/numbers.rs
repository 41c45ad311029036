//! INCRBYFLOAT.

use crate::number::Extended;
use crate::stop::{NOT_A_FLOAT, Outcome, Stop};
use crate::store::Class;
use crate::value::Encoding;

use super::Call;

/// `INCRBYFLOAT key increment`
pub fn incrbyfloat(call: &mut Call<'_>) -> Outcome {
    let key = call.key(1)?;
    let _lock = call.lock(&key)?;
    let old = call.read(&key, |value, expiry| (value.string().map(Extended::parse), expiry))?;
    let old = old.map(|(number, expiry)| number.map(|number| (number, expiry))).transpose()?;
    let (value, expire_at_ms) = match old {
        None => (Extended::ZERO, 0),
        Some((Some(value), expiry)) => (value, expiry),
        Some((None, _)) => return Err(NOT_A_FLOAT),
    };
    let increment = Extended::parse(call.args.get(2)).ok_or(NOT_A_FLOAT)?;
    let sum = value
        .checked_add(increment)
        .ok_or_else(|| Stop::fail("ERR increment would produce NaN or Infinity"))?;
    let text = sum.to_string();
    call.put_string(&key, Encoding::Text, text.as_bytes(), expire_at_ms)?;
    call.notify(Class::String, "incrbyfloat", call.args.get(1));
    call.reply.bulk(text.as_bytes());
    Ok(())
}
