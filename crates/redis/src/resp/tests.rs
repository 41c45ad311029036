//! The parser under any chunking, on arbitrary bytes, and at its limits; replies in both versions.

use proptest::prelude::*;

use super::*;

const LIMITS: RequestLimits = RequestLimits { bulk_bytes_max: 1 << 20, is_stranger: false };

/// Commands and the final error, given the bytes in pieces.
fn parse_pieces(pieces: &[&[u8]]) -> (Vec<Vec<Vec<u8>>>, Option<String>) {
    let mut parser = Parser::new();
    let mut buffer = Vec::new();
    let mut commands = Vec::new();
    for piece in pieces {
        buffer.extend_from_slice(piece);
        loop {
            match parser.parse(&buffer, LIMITS) {
                Ok(Status::Incomplete) => break,
                Ok(Status::Nothing(bytes)) => drop(buffer.drain(..bytes)),
                Ok(Status::Command(bytes)) => {
                    commands.push(parser.args(&buffer).from(0).map(<[u8]>::to_vec).collect());
                    buffer.drain(..bytes);
                }
                Err(error) => return (commands, Some(error.0)),
            }
        }
    }
    (commands, None)
}

fn parse_whole(bytes: &[u8]) -> (Vec<Vec<Vec<u8>>>, Option<String>) {
    parse_pieces(&[bytes])
}

fn encode(command: &[Vec<u8>]) -> Vec<u8> {
    let mut bytes = format!("*{}\r\n", command.len()).into_bytes();
    for argument in command {
        bytes.extend_from_slice(format!("${}\r\n", argument.len()).as_bytes());
        bytes.extend_from_slice(argument);
        bytes.extend_from_slice(b"\r\n");
    }
    bytes
}

fn error_of(bytes: &[u8]) -> String {
    parse_whole(bytes).1.expect("a protocol error")
}

fn cut<'a>(bytes: &'a [u8], places: &[usize]) -> Vec<&'a [u8]> {
    let mut places: Vec<usize> = places.iter().map(|place| place % (bytes.len() + 1)).collect();
    places.extend([0, bytes.len()]);
    places.sort_unstable();
    places.windows(2).map(|pair| &bytes[pair[0]..pair[1]]).collect()
}

fn some_command() -> impl Strategy<Value = Vec<Vec<u8>>> {
    prop::collection::vec(prop::collection::vec(any::<u8>(), 0..40), 1..6)
}

/// Bytes that look enough like the protocol to reach deep into the parser.
fn nearly_protocol() -> impl Strategy<Value = Vec<u8>> {
    let token = prop_oneof![
        Just(b"*2\r\n".to_vec()),
        Just(b"$3\r\n".to_vec()),
        Just(b"$-1\r\n".to_vec()),
        Just(b"*-5\r\n".to_vec()),
        Just(b"*0\r\n".to_vec()),
        Just(b"\r\n".to_vec()),
        Just(b"GET 'a b' \"c\\x41\"\r\n".to_vec()),
        Just(b"*99999999999999999999\r\n".to_vec()),
        prop::collection::vec(any::<u8>(), 0..8),
    ];
    prop::collection::vec(token, 0..12).prop_map(|tokens| tokens.concat())
}

proptest! {
    #[test]
    fn any_chunking_parses_alike(
        commands in prop::collection::vec(some_command(), 0..5),
        places in prop::collection::vec(any::<usize>(), 0..12),
    ) {
        let bytes: Vec<u8> = commands.iter().flat_map(|command| encode(command)).collect();
        prop_assert_eq!(parse_pieces(&cut(&bytes, &places)), (commands, None));
    }

    #[test]
    fn arbitrary_bytes_parse_alike_in_any_chunking(
        bytes in nearly_protocol(),
        places in prop::collection::vec(any::<usize>(), 0..8),
    ) {
        prop_assert_eq!(parse_pieces(&cut(&bytes, &places)), parse_whole(&bytes));
    }

    #[test]
    fn arbitrary_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        let bytewise: Vec<&[u8]> = bytes.chunks(1).collect();
        prop_assert_eq!(parse_pieces(&bytewise), parse_whole(&bytes));
    }
}

#[test]
fn lengths_out_of_range_are_refused() {
    assert_eq!(error_of(b"*4194305\r\n"), "Protocol error: invalid multibulk length");
    assert_eq!(error_of(b"*abc\r\n"), "Protocol error: invalid multibulk length");
    assert_eq!(error_of(b"*9223372036854775808\r\n"), "Protocol error: invalid multibulk length");
    assert_eq!(error_of(b"*1\r\n$-1\r\n"), "Protocol error: invalid bulk length");
    assert_eq!(error_of(b"*1\r\n$1048577\r\n"), "Protocol error: invalid bulk length");
    assert_eq!(error_of(b"*1\r\n$01\r\n"), "Protocol error: invalid bulk length");
    assert_eq!(error_of(b"*1\r\n$18446744073709551616\r\n"), "Protocol error: invalid bulk length");
    assert_eq!(error_of(b"*1\r\n:1\r\n"), "Protocol error: expected '$', got ':'");
}

#[test]
fn endless_lines_are_refused() {
    let long = vec![b'x'; request::LINE_BYTES_MAX + 1];
    assert_eq!(error_of(&long), "Protocol error: too big inline request");
    let count = [b"*", long.as_slice()].concat();
    assert_eq!(error_of(&count), "Protocol error: too big mbulk count string");
    let length = [b"*1\r\n$", long.as_slice()].concat();
    assert_eq!(error_of(&length), "Protocol error: too big bulk count string");
}

#[test]
fn empty_arrays_and_lines_say_nothing() {
    let (commands, error) = parse_whole(b"*0\r\n*-1\r\n\r\n   \r\nPING\r\n");
    assert_eq!((commands, error), (vec![vec![b"PING".to_vec()]], None));
}

#[test]
fn inline_commands_know_quotes() {
    let (commands, error) = parse_whole(b"SET 'a \\' b' \"\\x41\\n\\\"\"\n");
    let expected = vec![b"SET".to_vec(), b"a ' b".to_vec(), b"A\n\"".to_vec()];
    assert_eq!((commands, error), (vec![expected], None));
    assert_eq!(error_of(b"GET \"a\r\n"), "Protocol error: unbalanced quotes in request");
    assert_eq!(error_of(b"GET 'a'b\r\n"), "Protocol error: unbalanced quotes in request");
}

#[test]
fn a_long_bulk_tells_how_much_is_missing() {
    let mut parser = Parser::new();
    let bytes = b"*2\r\n$3\r\nGET\r\n$1000\r\nabc";
    assert_eq!(parser.parse(bytes, LIMITS), Ok(Status::Incomplete));
    assert_eq!(parser.bytes_missing(bytes.len()), 1000 - 3 + 2);
}

fn written(protocol: Protocol, write: impl FnOnce(&mut Reply<'_>)) -> String {
    let mut out = Vec::new();
    write(&mut Reply::new(&mut out, protocol));
    String::from_utf8(out).expect("text")
}

#[test]
fn replies_follow_the_protocol_version() {
    let all = |reply: &mut Reply<'_>| {
        reply.null();
        reply.null_array();
        reply.map(1);
        reply.set(2);
        reply.verbatim("txt", b"hi");
        reply.integer(-7);
        reply.bulk(b"");
        reply.simple("PONG");
        reply.error(b"ERR a\r\nb");
    };
    assert_eq!(
        written(Protocol::Resp2, all),
        "$-1\r\n*-1\r\n*2\r\n*2\r\n$2\r\nhi\r\n:-7\r\n$0\r\n\r\n+PONG\r\n-ERR a  b\r\n"
    );
    assert_eq!(
        written(Protocol::Resp3, all),
        "_\r\n_\r\n%1\r\n~2\r\n=6\r\ntxt:hi\r\n:-7\r\n$0\r\n\r\n+PONG\r\n-ERR a  b\r\n"
    );
}
