#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| aidb_sim::fuzz::tables::blob(data));
