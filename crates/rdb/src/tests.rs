//! What Redis wrote is read, what is written is read back, and any bytes are read without harm.

use aidb_base::{Error, ErrorKind};
use proptest::prelude::*;

use super::*;
use crate::element::StreamFacts;
use crate::value::{Dialect, decode};

/// Payloads that redis-server 7.0 answered to DUMP, and what is in them.
const FROM_REDIS: &[(&str, &str)] = &[
    ("00c27929edff0a00569667057153cd9b", "-1234567"),
    ("000568656c6c6f0a006372df766534200a", "hello"),
    (
        "00c30a405002616261e042010161620a00949d5f0eb1dea445",
        "abababababababababababababababababababababababababababababababababababababababab",
    ),
    (
        "120102c3234063116300000005008161020101f178ec03e04678e03c000648f4351cdcdf02205c0109ff\
         0a00c722c11877ceebfd",
        "a 1 -5000 xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx \
         12345678901",
    ),
    ("0b140400000003000000feffffff01000000701101000a0030527df8cc311f3b", "-2 1 70000"),
    ("020101610a006296e97e44d21a6d", "a"),
    (
        "111d1d0000000600816202842d696e660581610283312e35048163020301ff0a002970c58fcde6fc31",
        "b=-inf a=1.5 c=3",
    ),
    ("05010161000000000000f83f0a0045a3a88f44e959da", "a=1.5"),
    ("1012120000000400816602817602816e020701ff0a00b82adea8407ffaa8", "f:v n:7"),
    ("0401016601760a00adf24356b1860efc", "f:v"),
    (
        "130110000000000000000500000000000000013f3f000000190002010101020181610281620200010201000\
         10001010181780205010301000101010201817902050100010101dfff020101816302030106\
         01ff0206000501050203010167050181ffffffffffffffff010000000000000005000000000000000\
         1e80300000000000003010163bcd966fda1010000010000000000000005000000000000000\
         10a00e3b897334dc754eb",
        "5-1(a 1 b x) 6-0(c 3) 2/6-0/5-1/5-2/3 g@5-1,None 5-1@1000x3 c 5-1",
    ),
];

fn unhex(text: &str) -> Vec<u8> {
    let digits: Vec<u8> = text.bytes().filter(u8::is_ascii_hexdigit).collect();
    let byte = |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap();
    digits.chunks(2).map(byte).collect()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn id(id: EntryId) -> String {
    format!("{}-{}", id.ms, id.seq)
}

fn show(element: &Element<'_>) -> String {
    match element {
        Element::Text(part) | Element::Item(part) | Element::Member(part) => text(part),
        Element::ModuleText(part) => format!("'{}'", text(part)),
        Element::Scored(member, score) => format!("{}={score}", text(member)),
        Element::Field { field, value, expire_at_ms: 0 } => {
            format!("{}:{}", text(field), text(value))
        }
        Element::Field { field, value, expire_at_ms } => {
            format!("{}:{}@{expire_at_ms}", text(field), text(value))
        }
        Element::Entry(entry, fields) => {
            let mut texts = Vec::new();
            fields.each(|part| texts.push(text(part)));
            format!("{}({})", id(*entry), texts.join(" "))
        }
        Element::Stream(StreamFacts { entries, last, first, max_deleted, added }) => {
            let first = first.map_or("none".to_owned(), id);
            format!("{entries}/{}/{first}/{}/{added}", id(*last), id(*max_deleted))
        }
        Element::Group { name, last, read } => format!("{}@{},{read:?}", text(name), id(*last)),
        Element::Pending { id: entry, delivered_ms, deliveries } => {
            format!("{}@{delivered_ms}x{deliveries}", id(*entry))
        }
        Element::Consumer { name, .. } => text(name),
        Element::Owned(entry) => id(*entry),
        Element::Module(name, version) => format!("module {name} {version}"),
    }
}

/// The elements of a value, which must be all of the bytes.
fn elements(type_byte: u8, dialect: Dialect, bytes: &[u8]) -> Result<String, Error> {
    let mut input = Slice::new(bytes);
    let mut shown = Vec::new();
    decode(&mut input, type_byte, dialect, |element| {
        shown.push(show(&element));
        Ok::<_, Error>(())
    })?;
    assert!(input.is_empty());
    Ok(shown.join(" "))
}

fn payload_elements(bytes: &[u8]) -> Result<String, Error> {
    let payload = payload::open(bytes)?;
    let mut input = payload.input();
    let mut shown = Vec::new();
    decode(&mut input, payload.type_byte, payload.dialect, |element| {
        shown.push(show(&element));
        Ok::<_, Error>(())
    })?;
    Ok(shown.join(" "))
}

#[test]
fn payloads_of_redis_are_read() {
    for (payload, expected) in FROM_REDIS {
        assert_eq!(payload_elements(&unhex(payload)).unwrap(), *expected);
    }
}

/// A ziplist of items without the sizes of those before them, as the string around it.
fn ziplist(items: &[&str]) -> String {
    let body: Vec<u8> = items.iter().flat_map(|item| unhex(&format!("00 {item}"))).collect();
    let size = body.len() as u32 + 11;
    let head = [size.to_le_bytes().as_slice(), &[0; 4], &[items.len() as u8, 0]].concat();
    blob(&[head.as_slice(), &body, &[0xFF]].concat())
}

/// A listpack of texts; those of integers become numbers.
fn listpack(texts: &str) -> String {
    let mut builder = listpack::Builder::new();
    texts.split(' ').for_each(|text| builder.push(streams::item_of(text.as_bytes())));
    blob(&builder.finish())
}

/// A string of bytes, in hexadecimal digits.
fn blob(bytes: &[u8]) -> String {
    let hex = |bytes: &[u8]| bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
    hex(&[bytes.len() as u8]) + &hex(bytes)
}

#[test]
fn older_forms_are_read() {
    let numbers = ["0161", "fe85", "c00001", "f0000001", "d000000001", "f3", "e0ffffffffffffffff"];
    let module = "81 45e25238df912c03 01 05 02 06 03 00000000 04 0000000000000000 05 0161 00";
    let base = "e803000000000000";
    let cases: &[(u8, String, &str)] = &[
        // A list, and scores as texts.
        (1, "02 0161 0162".into(), "a b"),
        (3, "03 0161 03312e35 0162 fe 0163 ff".into(), "a=1.5 b=inf c=-inf"),
        // A zipmap of two pairs, the first value with a free byte behind it.
        (9, "0e 02 01 61 02 01 78 79 00 01 62 01 00 7a ff".into(), "a:xy b:z"),
        (10, ziplist(&numbers), "a -123 256 65536 16777216 2 -1"),
        (10, ziplist(&["4002 6162", "8000000001 63"]), "ab c"),
        (12, ziplist(&["0161", "03312e35"]), "a=1.5"),
        (13, ziplist(&["0161", "f8"]), "a:7"),
        (14, format!("02 {0} {0}", ziplist(&["026162"])), "ab ab"),
        (18, format!("02 01 03616263 02 {}", listpack("d 5")), "abc d 5"),
        (20, listpack("d 5"), "d 5"),
        // Hashes whose fields expire.
        (24, format!("{base} 03 00 0161 0178 01 0162 0179 0b 0163 017a"), "a:x b:y@1000 c:z@1010"),
        (22, "02 00 0161 0178 0a 0162 0179".into(), "a:x b:y@10"),
        (23, listpack("a x 0 b y 1000"), "a:x b:y@1000"),
        (25, format!("{base} {}", listpack("a x 0 b y 1000")), "a:x b:y@1000"),
        // A module's value: every kind of part.
        (7, module.into(), "module ReJSON-RL 3 'a'"),
    ];
    for (type_byte, bytes, expected) in cases {
        let shown = elements(*type_byte, Dialect::Redis, &unhex(bytes));
        assert_eq!(shown.unwrap(), *expected, "type {type_byte}");
    }
    let bytes = unhex("02 0161 0178 ffffffffffffffff 0162 0179 0a00000000000000");
    assert_eq!(elements(22, Dialect::Valkey, &bytes).unwrap(), "a:x b:y@10");
}

#[test]
fn documents_are_written_as_their_module_does() {
    let mut bytes = Vec::new();
    Writer::new(&mut bytes, false).json(b"{}");
    assert_eq!(elements(7, Dialect::Redis, &bytes).unwrap(), "module ReJSON-RL 3 '{}'");
}

#[test]
fn numbers_of_every_width_are_packed() {
    let texts = "0 127 128 -1 4095 -4096 4096 32767 -32768 8388607 -8388609 2147483647 \
                 -2147483649 9223372036854775807 -9223372036854775808 007 -0 +1";
    for text in texts.split(' ') {
        let bytes = unhex(&listpack(text));
        assert_eq!(elements(20, Dialect::Redis, &bytes).unwrap(), text);
    }
    for len in [0, 63, 64, 126, 127, 128, 4095, 4096, 16_383, 16_384, 70_000] {
        let text = "x".repeat(len);
        let mut builder = listpack::Builder::new();
        builder.push(listpack::Item::Text(text.as_bytes()));
        let packed = builder.finish();
        let mut items = listpack::Listpack::open(&packed).unwrap();
        assert_eq!(items.next().unwrap(), Some(listpack::Item::Text(text.as_bytes())));
        assert_eq!(items.next().unwrap(), None);
    }
}

#[test]
fn streams_of_every_form_are_read() {
    let block = listpack("1 0 1 a 0 2 0 0 1 4");
    let entries = format!("01 10 00000000000000050000000000000001 {block} 01 05 01");
    let added = "05 01 00 00 01";
    let group = "01 0167 05 01";
    let pending = "01 00000000000000050000000000000001 e803000000000000 02 01 0163";
    let seen = "0100000000000000";
    let owned = "01 00000000000000050000000000000001";
    let producers = "01 02 01 0170 00000000000000050000000000000001 01 00";
    let shown =
        |form, parts: &[&str]| elements(form, Dialect::Redis, &unhex(&parts.join(""))).unwrap();
    let tail = "g@5-1,None 5-1@1000x2 c 5-1";
    let expected = format!("5-1(a 1) 1/5-1/none/0-0/1 {tail}");
    assert_eq!(shown(15, &[&entries, group, pending, seen, owned]), expected);
    let tail = tail.replace("None", "Some(9)");
    let expected = format!("5-1(a 1) 1/5-1/5-1/0-0/1 {tail}");
    let group = &format!("{group} 09");
    assert_eq!(shown(19, &[&entries, added, group, pending, seen, owned]), expected);
    let three = [&entries, added, group, pending, seen, seen, owned];
    assert_eq!(shown(21, &three), expected);
    let four = [three.as_slice(), &[producers]].concat();
    assert_eq!(shown(26, &four), expected);
}

#[test]
fn damaged_payloads_are_refused() {
    for (payload, _) in FROM_REDIS {
        let whole = unhex(payload);
        for len in 0..whole.len() {
            assert!(payload::open(&whole[..len]).is_err());
        }
        for bit in 0..whole.len() * 8 {
            let mut flipped = whole.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            assert!(payload::open(&flipped).is_err(), "{payload}: bit {bit}");
        }
    }
}

#[test]
fn damaged_values_do_no_harm() {
    for (payload, _) in FROM_REDIS {
        let whole = unhex(payload);
        let value = &whole[1..whole.len() - 10];
        for len in 0..value.len() {
            assert!(decode_all(whole[0], &value[..len]).is_err(), "{payload}: {len} bytes");
        }
        for bit in 0..value.len() * 8 {
            let mut flipped = value.to_vec();
            flipped[bit / 8] ^= 1 << (bit % 8);
            let _ = decode_all(whole[0], &flipped);
        }
    }
}

fn decode_all(type_byte: u8, bytes: &[u8]) -> Result<usize, Error> {
    let mut count = 0;
    decode(&mut Slice::new(bytes), type_byte, Dialect::Redis, |element| {
        count += show(&element).len();
        Ok::<_, Error>(())
    })?;
    Ok(count)
}

#[test]
fn lengths_that_lie_cost_nothing() {
    let endless = unhex("81ffffffffffffffff");
    for type_byte in 0..=26 {
        assert!(decode_all(type_byte, &endless).is_err());
        let file = [b"REDIS0011".as_slice(), &[type_byte], &endless].concat();
        let mut file = File::open(file.as_slice()).unwrap();
        assert!(file.next_record().is_err());
    }
    // 300 MB from ten bytes of LZF.
    let bomb = unhex("c3 0a 8012000000 00610000000000000000");
    let error = decode_all(0, &bomb).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Corruption);
}

fn write_file() -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut file = Records::new(&mut bytes);
    file.header();
    file.fact("aidb-ver", b"1");
    file.database(3, 1);
    file.function(b"#!lua name=f\n");
    file.key(Kind::Hash, b"k", 1_700_000_000_000);
    let mut checksum = Checksum::default();
    checksum.add(&bytes);
    let mut value = Vec::new();
    let mut out = Writer::new(&mut value, true);
    out.length(1);
    out.string(b"field");
    out.string(&[b'x'; 100]);
    checksum.add(&value);
    [bytes, value, checksum.end()].concat()
}

fn read_file(bytes: &[u8]) -> Result<Vec<Record>, Error> {
    let mut file = File::open(bytes)?;
    let mut records = Vec::new();
    loop {
        let record = file.next_record()?;
        if let Record::Key(key) = &record {
            let type_byte = key.type_byte;
            let (input, dialect) = file.value();
            decode(input, type_byte, dialect, |_| Ok::<_, Error>(()))?;
        }
        let is_end = record == Record::End;
        records.push(record);
        if is_end {
            return Ok(records);
        }
    }
}

#[test]
fn files_are_written_and_read() {
    let key = Key {
        name: b"k".to_vec(),
        type_byte: 4,
        kind: Kind::Hash,
        expire_at_ms: 1_700_000_000_000,
    };
    let expected = vec![
        Record::Fact(b"aidb-ver".to_vec(), b"1".to_vec()),
        Record::Database(3),
        Record::Sizes(1, 0),
        Record::Function(b"#!lua name=f\n".to_vec()),
        Record::Key(key),
        Record::End,
    ];
    assert_eq!(read_file(&write_file()).unwrap(), expected);
}

#[test]
fn damaged_files_are_refused() {
    let whole = write_file();
    for len in 0..whole.len() {
        assert!(read_file(&whole[..len]).is_err(), "{len} bytes");
    }
    for bit in 9 * 8..whole.len() * 8 {
        let mut flipped = whole.clone();
        flipped[bit / 8] ^= 1 << (bit % 8);
        // A flipped length may swallow the checksum's own place, but nothing passes for whole.
        assert!(read_file(&flipped).is_err(), "bit {bit}");
    }
}

#[test]
fn hints_and_module_data_are_passed_over() {
    let mut bytes = b"REDIS0012".to_vec();
    bytes.extend(unhex("f4 01 02 03 f7 81b58ccf48b6b8d003 02 01 05 0161 00 f8 05 f9 07"));
    bytes.extend(unhex("f3 01 00000001 02 05 00 fd 01000000 00 016b 0176 ff 0000000000000000"));
    let records = read_file(&bytes).unwrap();
    assert!(matches!(&records[0], Record::ModuleData(name) if name.len() == 9));
    assert!(matches!(&records[1], Record::Key(key) if key.expire_at_ms == 1000));
    assert_eq!(records[2], Record::End);
    let old = unhex("5245444953303030 34 00 016b 0176 ff");
    assert_eq!(read_file(&old).unwrap().len(), 2);
    assert!(read_file(b"REDIS0000").is_err() && read_file(b"VALKEY08x").is_err());
    assert_eq!(read_file(b"REDIS0011\xf6").unwrap_err().kind(), ErrorKind::Invalid);
    assert_eq!(read_file(b"REDIS0011\x08").unwrap_err().kind(), ErrorKind::Invalid);
}

proptest! {
    #[test]
    fn strings_survive(bytes in prop::collection::vec(0u8..4, 0..3000), number in any::<i64>()) {
        for bytes in [bytes, number.to_string().into_bytes(), (number as i16).to_string().into_bytes()] {
            let mut value = Vec::new();
            let mut out = Writer::new(&mut value, true);
            out.kind(Kind::String);
            out.string(&bytes);
            let mut payload = value.clone();
            payload::close(&mut payload);
            prop_assert_eq!(payload_elements(&payload).unwrap(), text(&bytes));
        }
    }

    #[test]
    fn compression_is_undone(bytes in prop::collection::vec(any::<u8>(), 0..200), times in 1usize..50) {
        let bytes = bytes.repeat(times);
        if let Some(packed) = lzf::compress(&bytes) {
            let mut out = Vec::new();
            prop_assert!(lzf::decompress(&packed, bytes.len(), &mut out));
            prop_assert_eq!(out, bytes);
        }
    }

    #[test]
    fn streams_survive(
        entries in prop::collection::vec((1u64..1 << 40, prop::collection::vec("[a-c0-9]{0,80}", 1..4)), 0..300),
    ) {
        let mut writer = StreamWriter::default();
        let (mut expected, mut at) = (Vec::new(), EntryId::default());
        for (step, texts) in &entries {
            at = EntryId { ms: at.ms + step, seq: step % 7 };
            let pairs: Vec<&[u8]> = texts.iter().flat_map(|t| [b"f".as_slice(), t.as_bytes()]).collect();
            expected.push(format!("{}({})", id(at), pairs.iter().map(|p| text(p)).collect::<Vec<_>>().join(" ")));
            writer.entry(at, pairs.into_iter());
        }
        let count = entries.len() as u64;
        let facts = StreamFacts { entries: count, last: at, first: Some(at), max_deleted: at, added: count };
        let mut value = Vec::new();
        let mut out = Writer::new(&mut value, false);
        writer.finish(&mut out, &facts);
        out.length(0);
        expected.push(format!("{count}/{0}/{0}/{0}/{count}", id(at)));
        prop_assert_eq!(elements(19, Dialect::Redis, &value).unwrap(), expected.join(" "));
    }

    #[test]
    fn any_bytes_are_read_without_harm(type_byte in 0u8..30, bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        let _ = decode_all(type_byte, &bytes);
        let _ = decode(&mut Slice::new(&bytes), type_byte, Dialect::Valkey, |_| Ok::<_, Error>(()));
        let _ = payload::open(&bytes);
        let _ = read_file(&[b"REDIS0012".as_slice(), &bytes].concat());
    }
}
