//! Tests of the picker (golden script) and of whole sequences of flushes and compactions (model).

mod golden;
pub(crate) mod harness;
mod levelling;
mod model;
