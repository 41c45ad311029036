//! Extreme sizes, and calls that must be refused.

use super::*;

#[test]
fn keys_must_ascend() {
    let vfs = MemVfs::new();
    let mut builder =
        TableBuilder::create(&vfs, Path::new("/1.sst"), options(Codec::None)).unwrap();
    let stored = (1, Kind::Put, 0, Vec::new());
    builder.add(&entry(b"b", &stored)).unwrap();
    for key in [&b"b"[..], b"a", b""] {
        assert_eq!(builder.add(&entry(key, &stored)).unwrap_err().kind(), ErrorKind::Internal);
    }
    builder.add(&entry(b"c", &stored)).unwrap();
    assert_eq!(builder.entries(), 2);
}

#[test]
fn a_key_over_the_limit_is_refused() {
    let vfs = MemVfs::new();
    let mut builder =
        TableBuilder::create(&vfs, Path::new("/1.sst"), options(Codec::None)).unwrap();
    let long = vec![0; 65_536];
    let stored = (1, Kind::Put, 0, Vec::new());
    assert_eq!(builder.add(&entry(&long, &stored)).unwrap_err().kind(), ErrorKind::Invalid);
    builder.add(&entry(&long[..65_535], &stored)).unwrap();
}

#[test]
fn empty_keys_and_values_and_the_longest_keys() {
    for codec in CODECS {
        let mut model = Model::new();
        model.insert(Vec::new(), (1, Kind::Put, 0, Vec::new()));
        model.insert(vec![0], (2, Kind::Put, 0, b"v".to_vec()));
        model.insert(vec![0, 0], (3, Kind::Delete, 0, Vec::new()));
        model.insert(vec![7; 65_535], (4, Kind::Put, 0, Vec::new()));
        let mut other = vec![7; 65_535];
        other[65_534] = 9;
        model.insert(other, (5, Kind::Put, 1, b"last".to_vec()));
        let (table, written) = table_of(&model, options(codec));
        for (key, stored) in &model {
            assert_eq!(get(&table, key).as_ref(), Some(stored));
        }
        table.verify(Some(written.digest)).unwrap();
        assert_eq!(cursors::collect(&mut table.cursor(true)), model);
    }
}

#[test]
fn only_the_empty_key() {
    let model = Model::from([(Vec::new(), (1, Kind::Put, 0, b"v".to_vec()))]);
    let (table, written) = table_of(&model, options(Codec::Lz4));
    assert_eq!(get(&table, b"").unwrap().3, b"v");
    assert_eq!(get(&table, b"x"), None);
    table.verify(Some(written.digest)).unwrap();
}

#[test]
fn large_values_get_blocks_of_their_own() {
    let mut rng = aidb_base::Rng::seeded(4);
    let noise: Vec<u8> = (0..3_000_000).map(|_| rng.next_u64() as u8).collect();
    for codec in CODECS {
        let model = Model::from([
            (b"a".to_vec(), (1, Kind::Put, 0, b"small".to_vec())),
            (b"b".to_vec(), (2, Kind::Put, 0, noise.clone())),
            (b"c".to_vec(), (3, Kind::Put, 0, vec![5; 5_000_000])),
            (b"d".to_vec(), (4, Kind::Put, 0, b"small".to_vec())),
        ]);
        let (table, written) = table_of(&model, options(codec));
        assert_eq!(written.blocks, 4);
        for (key, stored) in &model {
            assert!(get(&table, key).as_ref() == Some(stored));
        }
        assert!(cursors::collect(&mut table.cursor(false)) == model);
        table.verify(Some(written.digest)).unwrap();
    }
}

#[test]
fn blocks_keep_to_their_size() {
    let model = sample(3000);
    for block_bytes in [128, 1000, 4096, 100_000] {
        let (table, written) =
            table_of(&model, TableOptions { block_bytes, ..options(Codec::None) });
        let (index, _) = table.index().unwrap();
        for block in 0..index.count() {
            assert!(table.place(&index, block).unwrap().len <= block_bytes * 3 / 2);
        }
        let least = written.data_bytes as usize / block_bytes;
        assert!(index.count() <= least * 2 + 2, "{} blocks of {block_bytes}", index.count());
    }
}

#[test]
fn a_file_of_another_number_is_refused() {
    let vfs = MemVfs::new();
    let path = Path::new("/1.sst");
    write(&vfs, path, &sample(10), options(Codec::None));
    let error = Table::open(&vfs, path, UID + 1, Arc::new(BlockCache::new(0))).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Corruption);
    assert!(error.message().contains("/1.sst"));
}
