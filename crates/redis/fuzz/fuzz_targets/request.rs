//! Requests of clients: the first byte says in pieces of how many bytes the rest arrives, and any
//! way of cutting it must give the same commands and the same error.
#![no_main]

use aidb_redis::resp::{Parser, RequestLimits, Status};

type Commands = Vec<Vec<Vec<u8>>>;

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    let Some((&piece, bytes)) = data.split_first() else { return };
    let whole = commands(bytes, bytes.len().max(1));
    let pieces = commands(bytes, usize::from(piece).max(1));
    assert_eq!(whole, pieces);
});

/// The commands in `bytes`, which become known `piece` bytes at a time, and the error that ends them.
fn commands(bytes: &[u8], piece: usize) -> (Commands, Option<String>) {
    let limits = RequestLimits { bulk_bytes_max: 1 << 16, is_stranger: false };
    let (mut parser, mut found) = (Parser::new(), Vec::new());
    let (mut start, mut end) = (0, 0);
    loop {
        match parser.parse(&bytes[start..end], limits) {
            Ok(Status::Command(len)) => {
                let args = parser.args(&bytes[start..end]);
                found.push((0..args.len()).map(|index| args.get(index).to_vec()).collect());
                start += len;
            }
            Ok(Status::Nothing(len)) => start += len,
            Ok(Status::Incomplete) if end == bytes.len() => return (found, None),
            Ok(Status::Incomplete) => end = (end + piece).min(bytes.len()),
            Err(error) => return (found, Some(error.0)),
        }
    }
}
