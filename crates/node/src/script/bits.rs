//! The library `bit`: operations on 32 bits, results signed.

use mlua::{Function, Lua, MultiValue, Table, Value};

use super::thrown::at_caller;

/// The number as 32 bits, whatever its size.
fn bits(value: Option<&Value>) -> Option<i32> {
    let number = match value? {
        Value::Integer(number) => return Some(*number as i32),
        Value::Number(number) => *number,
        Value::String(text) => text.to_string_lossy().trim().parse().ok()?,
        _ => return None,
    };
    // Whole numbers wrap around 2^32.
    Some(number.round_ties_even().rem_euclid(4_294_967_296.0) as u32 as i32)
}

fn refused(lua: &Lua, name: &str, at: usize) -> mlua::Result<Value> {
    Err(at_caller(lua, &format!("bad argument #{at} to '{name}' (number expected)")))
}

/// A function that folds all its arguments.
fn folding(lua: &Lua, name: &'static str, fold: fn(i32, i32) -> i32) -> mlua::Result<Function> {
    lua.create_function(move |lua, arguments: MultiValue| {
        let arguments = arguments.into_vec();
        let Some(mut result) = bits(arguments.first()) else { return refused(lua, name, 1) };
        for (index, argument) in arguments.iter().enumerate().skip(1) {
            let Some(next) = bits(Some(argument)) else { return refused(lua, name, index + 1) };
            result = fold(result, next);
        }
        Ok(Value::Number(f64::from(result)))
    })
}

/// A function of a number and a distance.
fn moving(lua: &Lua, name: &'static str, f: fn(i32, u32) -> i32) -> mlua::Result<Function> {
    lua.create_function(move |lua, arguments: MultiValue| {
        let arguments = arguments.into_vec();
        let Some(number) = bits(arguments.first()) else { return refused(lua, name, 1) };
        let Some(distance) = bits(arguments.get(1)) else { return refused(lua, name, 2) };
        Ok(Value::Number(f64::from(f(number, distance as u32 & 31))))
    })
}

fn tohex(lua: &Lua, arguments: MultiValue) -> mlua::Result<Value> {
    let arguments = arguments.into_vec();
    let Some(number) = bits(arguments.first()) else { return refused(lua, "tohex", 1) };
    let digits = bits(arguments.get(1)).unwrap_or(8);
    let count = digits.unsigned_abs().min(8) as usize;
    let text = match digits < 0 {
        true => format!("{:08X}", number as u32),
        false => format!("{:08x}", number as u32),
    };
    Ok(Value::String(lua.create_string(&text[8 - count..])?))
}

/// The library's functions.
pub(super) fn library(lua: &Lua) -> mlua::Result<Table> {
    let bit = lua.create_table()?;
    bit.raw_set("tobit", folding(lua, "tobit", |a, _| a)?)?;
    bit.raw_set("bnot", moving_alone(lua, "bnot", |a| !a)?)?;
    bit.raw_set("bswap", moving_alone(lua, "bswap", i32::swap_bytes)?)?;
    bit.raw_set("band", folding(lua, "band", |a, b| a & b)?)?;
    bit.raw_set("bor", folding(lua, "bor", |a, b| a | b)?)?;
    bit.raw_set("bxor", folding(lua, "bxor", |a, b| a ^ b)?)?;
    bit.raw_set("lshift", moving(lua, "lshift", |a, n| a << n)?)?;
    bit.raw_set("rshift", moving(lua, "rshift", |a, n| (a as u32 >> n) as i32)?)?;
    bit.raw_set("arshift", moving(lua, "arshift", |a, n| a >> n)?)?;
    bit.raw_set("rol", moving(lua, "rol", i32::rotate_left)?)?;
    bit.raw_set("ror", moving(lua, "ror", i32::rotate_right)?)?;
    bit.raw_set("tohex", lua.create_function(tohex)?)?;
    Ok(bit)
}

fn moving_alone(lua: &Lua, name: &'static str, f: fn(i32) -> i32) -> mlua::Result<Function> {
    lua.create_function(move |lua, arguments: MultiValue| {
        match bits(arguments.into_vec().first()) {
            Some(number) => Ok(Value::Number(f64::from(f(number)))),
            None => refused(lua, name, 1),
        }
    })
}
