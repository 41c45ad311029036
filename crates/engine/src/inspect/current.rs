//! `CURRENT`.

use super::report::Report;
use crate::version::format;

pub fn describe(bytes: &[u8], report: &mut Report) {
    match format::decode_current(bytes) {
        Ok(number) => {
            report.summary = format!("manifest {number} is in use");
            report.fact("manifest", number);
        }
        Err(malformed) => {
            report.summary = "damaged".to_owned();
            report.problem(format_args!("at offset {}: {}", malformed.at, malformed.what));
        }
    }
}
