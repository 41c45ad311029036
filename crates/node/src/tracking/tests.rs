use std::net::SocketAddr;
use std::sync::Arc;

use super::Wish;
use super::table::Table;
use crate::acl::Name;
use crate::clients::Client;
use crate::transport::Address;

fn client(id: u64) -> Arc<Client> {
    let address = Address::Tcp(SocketAddr::from(([127, 0, 0, 1], 1)));
    let name = Arc::new(Name { text: b"default".as_slice().into(), id: 1 });
    Arc::new(Client::new(id, address.clone(), address, (0, 0), name, 0))
}

#[test]
fn a_full_table_lets_the_oldest_keys_go_and_says_so() {
    let mut table = Table::default();
    table.follow(&client(1), &Wish::default());
    assert!(table.remember(1, &[b"a", b"b"], 2).is_empty());
    assert!(table.remember(1, &[b"a"], 2).is_empty());
    let told = table.remember(1, &[b"c"], 2);
    assert_eq!(told.len(), 1);
    assert!(table.take(&[b"a".to_vec()], 0).is_empty());
    assert_eq!(table.take(&[b"b".to_vec()], 0).len(), 1);
    assert_eq!(table.totals().keys, 1);
}

#[test]
fn clients_that_left_are_not_told() {
    let mut table = Table::default();
    table.follow(&client(1), &Wish::default());
    let wish = Wish { broadcasts: true, prefixes: vec![b"a".to_vec()], ..Wish::default() };
    table.follow(&client(2), &wish);
    table.remember(1, &[b"a"], 0);
    assert!(!table.leave(1));
    assert_eq!(table.take(&[b"a".to_vec()], 0).len(), 1);
    assert!(table.leave(2));
    assert_eq!(table.totals(), super::Totals::default());
}

#[test]
fn a_writer_may_not_want_to_hear_of_itself() {
    let mut table = Table::default();
    let wish = Wish { no_loop: true, ..Wish::default() };
    table.follow(&client(1), &wish);
    table.remember(1, &[b"a"], 0);
    assert!(table.take(&[b"a".to_vec()], 1).is_empty());
    assert_eq!(table.totals().items, 0);
}
