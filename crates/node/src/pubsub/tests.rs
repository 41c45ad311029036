//! Who is reached, in which words.

use aidb_redis::resp::Protocol;

use super::*;

fn listener(client: u64) -> Listener {
    Listener { client, reactor: 0, token: client as usize }
}

fn name(text: &str) -> Arc<[u8]> {
    Arc::from(text.as_bytes())
}

#[test]
fn a_message_reaches_channels_and_matching_patterns() {
    let pubsub = PubSub::default();
    pubsub.add(Kind::Channel, &name("news"), listener(1));
    pubsub.add(Kind::Pattern, &name("n*"), listener(1));
    pubsub.add(Kind::Pattern, &name("x*"), listener(2));
    pubsub.add(Kind::Shard, &name("news"), listener(3));
    assert_eq!(pubsub.publish(&[], Kind::Channel, b"news", b"hi"), 2);
    assert_eq!(pubsub.publish(&[], Kind::Shard, b"news", b"hi"), 1);
    assert_eq!(pubsub.publish(&[], Kind::Channel, b"other", b"hi"), 0);
    assert_eq!(pubsub.count(Kind::Channel, b"news"), 2);
}

#[test]
fn a_topic_without_listeners_is_forgotten() {
    let pubsub = PubSub::default();
    pubsub.add(Kind::Channel, &name("news"), listener(1));
    pubsub.add(Kind::Channel, &name("news"), listener(2));
    pubsub.remove(Kind::Channel, &name("news"), 1);
    assert_eq!(pubsub.listeners(Kind::Channel, b"news"), 1);
    pubsub.remove(Kind::Channel, &name("news"), 2);
    assert!(pubsub.channels(Kind::Channel, None).is_empty());
}

#[test]
fn messages_read_as_each_protocol_writes_them() {
    let plain = Delivery::new(Kind::Channel, b"c", b"c", b"m");
    assert_eq!(plain.encoded(Protocol::Resp2), b"*3\r\n$7\r\nmessage\r\n$1\r\nc\r\n$1\r\nm\r\n");
    let pattern = Delivery::new(Kind::Pattern, b"p*", b"pc", b"m");
    assert_eq!(
        pattern.encoded(Protocol::Resp3),
        b">4\r\n$8\r\npmessage\r\n$2\r\np*\r\n$2\r\npc\r\n$1\r\nm\r\n"
    );
}
