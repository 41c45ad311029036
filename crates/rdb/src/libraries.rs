//! Payloads of FUNCTION DUMP and FUNCTION RESTORE.
//!
//! ```text
//! per library  F5 and the code as a string
//! footer       that of all payloads
//! ```

use crate::format::opcode;
use crate::input::Slice;
use crate::payload;
use crate::scalars::{byte, string};
use crate::write::Writer;

/// Why there are no libraries to be had from a payload.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// Version or checksum are wrong.
    Footer,
    /// A release candidate of Redis 7 wrote it.
    Candidate,
    /// It has something else than libraries.
    NoFunction,
    /// A code cannot be read.
    Damaged,
}

/// The payload of some codes.
pub fn encode<'c>(codes: impl Iterator<Item = &'c [u8]>) -> Vec<u8> {
    let mut payload = Vec::new();
    for code in codes {
        payload.push(opcode::FUNCTION);
        Writer::new(&mut payload, true).string(code);
    }
    payload::close(&mut payload);
    payload
}

/// The codes of a payload.
///
/// # Errors
/// What is wrong with it.
pub fn decode(bytes: &[u8]) -> Result<Vec<Vec<u8>>, Refusal> {
    let (body, _) = payload::check(bytes).map_err(|_| Refusal::Footer)?;
    let mut input = Slice::new(body);
    let mut codes = Vec::new();
    while !input.is_empty() {
        match byte(&mut input) {
            Ok(opcode::FUNCTION) => {}
            Ok(opcode::FUNCTION_OF_CANDIDATES) => return Err(Refusal::Candidate),
            _ => return Err(Refusal::NoFunction),
        }
        let mut code = Vec::new();
        string(&mut input, &mut code).map_err(|_| Refusal::Damaged)?;
        codes.push(code);
    }
    Ok(codes)
}
