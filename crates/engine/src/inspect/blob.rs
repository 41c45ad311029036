//! Blob files: one row per value.

use std::path::Path;

use aidb_base::Result;

use super::report::Report;
use super::{is_finding, own_uid};
use crate::blob::BlobFile;
use crate::blob::format::FOOTER_BYTES;
use crate::file_header::FILE_HEADER_BYTES;
use crate::vfs::Vfs;

pub fn describe(vfs: &dyn Vfs, path: &Path, number: u64, report: &mut Report) -> Result<()> {
    report.fact("number", number);
    let described = own_uid(vfs, path).and_then(|uid| {
        let file = BlobFile::open(vfs, path, number, uid)?;
        report.summary = format!("{} values", file.records());
        report.fact("bytes", file.bytes());
        report.fact("values", file.records());
        describe_values(&file, report)
    });
    match described {
        Err(error) if is_finding(&error) => {
            if report.summary.is_empty() {
                "damaged".clone_into(&mut report.summary);
            }
            report.problem(error.message());
            Ok(())
        }
        other => other,
    }
}

fn describe_values(file: &BlobFile, report: &mut Report) -> Result<()> {
    let end = file.bytes() - FOOTER_BYTES as u64;
    let (mut offset, mut shown) = (FILE_HEADER_BYTES as u64, 0);
    while offset < end {
        if !report.has_room() {
            report.more += file.records().saturating_sub(shown);
            return Ok(());
        }
        let blob = file.blob_at(offset)?;
        report.row("values", || {
            vec![
                ("offset", offset.into()),
                ("stored_bytes", blob.len.into()),
                ("raw_bytes", blob.raw_len.into()),
                ("codec", format!("{:?}", blob.codec).to_lowercase().into()),
            ]
        });
        offset += blob.stored_bytes();
        shown += 1;
    }
    Ok(())
}
