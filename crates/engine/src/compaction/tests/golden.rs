//! The picker against its golden script.

use std::collections::BTreeMap;
use std::path::PathBuf;

use crate::compaction::shape::{Carried, TreeShape};
use crate::compaction::{Occasion, pick_full_step, pick_plan};
use crate::entry::RangeTombstone;
use crate::options::{Codec, Options};
use crate::version::{TableMeta, TreeState, state::PlacedTable};

#[derive(Default)]
struct Case {
    options: Options,
    occasion: Occasion,
    /// Live keys, if there are fewer than records.
    live_keys: Option<u64>,
    state: TreeState,
    tombstones: Vec<(u64, RangeTombstone)>,
    sparse: Vec<u64>,
    full_below: Option<u64>,
}

impl Case {
    fn parse(text: &str) -> Self {
        let mut case = Self::default();
        case.options.level_base_bytes = 1000;
        case.options.memtable_bytes_max = 100;
        for line in text.lines() {
            let words: Vec<&str> = line.split_whitespace().collect();
            match words[0] {
                "case" => {}
                "options" => words[1..].iter().for_each(|word| case.set_option(word)),
                "now" => case.occasion.now_ms = words[1].parse().unwrap(),
                "resting" => case.occasion.is_resting = true,
                "live" => case.live_keys = words[1].parse().ok(),
                "sparse" => case.sparse = words[1..].iter().map(|w| w.parse().unwrap()).collect(),
                "full" => case.full_below = words[1].parse().ok(),
                "range" => case.add_range(&words),
                "carrier" => case.add_table(0, &words, 0),
                level => case.add_table(level[1..].parse().unwrap(), &words, 10),
            }
        }
        let records = case.state.tables.values().map(|table| table.meta.entries).sum();
        case.state.live_keys = case.live_keys.unwrap_or(records);
        case
    }

    fn set_option(&mut self, word: &str) {
        let (name, value) = word.split_once('=').unwrap();
        let value: u64 = value.parse().unwrap();
        match name {
            "trigger" => self.options.l0_runs_trigger = value as usize,
            "slowdown" => self.options.l0_runs_slowdown = value as usize,
            "stop" => self.options.l0_runs_stop = value as usize,
            "base" => self.options.level_base_bytes = value,
            "fanout" => self.options.level_fanout = value,
            "bits" => self.options.filter_bits_per_key = value as u8,
            _ => panic!("unknown option {name}"),
        }
    }

    fn add_range(&mut self, words: &[&str]) {
        let (start, end) = words[2].split_once("..").unwrap();
        let end = (!end.is_empty()).then(|| end.into());
        let seq = words[3].parse().unwrap();
        let number = words[1].parse().unwrap();
        self.tombstones.push((number, RangeTombstone { start: start.into(), end, seq }));
        let carrier = self.state.tables.get_mut(&number).unwrap();
        std::sync::Arc::make_mut(&mut carrier.meta).range_tombstones += 1;
    }

    fn add_table(&mut self, level: u8, words: &[&str], entries: u64) {
        let number = words[1].parse().unwrap();
        let codec = Codec::Lz4;
        let mut meta = TableMeta { number, entries, codec, ..TableMeta::default() };
        let mut run = 0;
        for word in &words[2..] {
            if let Some((name, value)) = word.split_once('=') {
                match name {
                    "run" => run = value.parse().unwrap(),
                    _ => set_meta(&mut meta, name, value),
                }
            } else {
                let (smallest, largest) = word.split_once("..").unwrap();
                (meta.smallest, meta.largest) = (smallest.into(), largest.into());
            }
        }
        self.state.tables.insert(number, PlacedTable { level, run, meta: meta.into() });
    }

    fn plan(&self) -> String {
        let carried =
            |(number, tombstone)| Carried { tombstone, carrier: &self.state.tables[number].meta };
        let tombstones = self.tombstones.iter().map(|(n, t)| carried((n, t))).collect();
        let tree = TreeShape::new(3, &self.state, tombstones);
        let plan = match self.full_below {
            Some(below) => pick_full_step(&tree, &self.sparse, &self.options, below),
            None => pick_plan(&[tree], &self.sparse, &self.options, self.occasion),
        };
        plan.map_or_else(|| "nothing".to_owned(), |plan| plan.to_string())
    }
}

fn set_meta(meta: &mut TableMeta, name: &str, value: &str) {
    let number = || value.parse().unwrap();
    match name {
        "bytes" => meta.bytes = number(),
        "entries" => meta.entries = number(),
        "deletes" => meta.deletes = number(),
        "expiring" => meta.expiring = number(),
        "expire" => meta.max_expire_ms = number(),
        "created" => meta.created_ms = number(),
        "applied" => meta.rt_applied_seq = number(),
        "codec" => meta.codec = if value == "none" { Codec::None } else { Codec::Lz4 },
        "seq" => {
            let (min, max) = value.split_once("..").unwrap();
            (meta.min_seq, meta.max_seq) = (min.parse().unwrap(), max.parse().unwrap());
        }
        "blobs" => {
            let refs = value.split(',').map(|part| part.split_once(':').unwrap());
            meta.blob_refs = refs.map(|(n, b)| (n.parse().unwrap(), b.parse().unwrap())).collect();
        }
        _ => panic!("unknown property {name}"),
    }
}

#[test]
#[allow(clippy::disallowed_methods)]
fn golden_script_of_the_picker() {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("testdata/compaction/picker.txt");
    let script = std::fs::read_to_string(&path).unwrap();
    let mut rewritten = String::new();
    let mut wrong = BTreeMap::new();
    for block in script.split("\n\n") {
        let (input, expected) = block.split_once("\n=>").unwrap_or((block, ""));
        rewritten.push_str(input);
        if input.starts_with("case") {
            let plan = Case::parse(input).plan();
            rewritten.push_str(&format!("\n=> {plan}"));
            if plan != expected.trim() {
                wrong.insert(input.lines().next().unwrap_or_default().to_owned(), plan);
            }
        }
        rewritten.push_str("\n\n");
    }
    if std::env::var_os("AIDB_GOLDEN").is_some_and(|mode| mode == "rewrite") {
        std::fs::write(&path, rewritten.trim_end().to_owned() + "\n").unwrap();
    } else {
        assert!(wrong.is_empty(), "{wrong:#?}");
    }
}
