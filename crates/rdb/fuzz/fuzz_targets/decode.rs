//! Values and files: the first byte is the type of a value; the same bytes are also read as a file.
#![no_main]

use aidb_base::Error;
use aidb_rdb::value::{Dialect, decode};
use aidb_rdb::{File, Record, Slice, payload};

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    let _ = payload::open(data);
    let Some((&type_byte, bytes)) = data.split_first() else { return };
    for dialect in [Dialect::Redis, Dialect::Valkey] {
        let _ = decode(&mut Slice::new(bytes), type_byte, dialect, |_| Ok::<_, Error>(()));
    }
    let _ = read_file(data);
});

fn read_file(bytes: &[u8]) -> Result<(), Error> {
    let mut file = File::open(bytes)?;
    loop {
        match file.next_record()? {
            Record::End => return Ok(()),
            Record::Key(key) => {
                let (input, dialect) = file.value();
                decode(input, key.type_byte, dialect, |_| Ok::<_, Error>(()))?;
            }
            _ => {}
        }
    }
}
