//! Not a target: writes the valid inputs that the targets start from, with checksums as this build
//! computes them. `cargo fuzz run corpus -- -runs=0`
#![no_main]

fn write_corpus() -> std::io::Result<()> {
    for (name, _) in aidb_sim::fuzz::TARGETS {
        let dir = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus").join(name);
        std::fs::create_dir_all(&dir)?;
        let seeds = aidb_sim::fuzz::seeds::seeds(name).map_err(std::io::Error::other)?;
        for (number, seed) in seeds.iter().enumerate() {
            std::fs::write(dir.join(format!("seed{number}")), seed)?;
        }
    }
    Ok(())
}

libfuzzer_sys::fuzz_target!(
    init: write_corpus().unwrap_or_else(|error| panic!("cannot write the corpus: {error}")),
    |_data: &[u8]| {}
);
