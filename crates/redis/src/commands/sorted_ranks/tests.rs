//! Places in a large sorted set, against a model: a sorted list.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::super::tests::Server;
use crate::store::Mode;

const MEMBERS: u32 = 4000;

struct World {
    server: Server,
    model: BTreeMap<String, i64>,
}

impl World {
    fn new() -> Self {
        let mut world = Self { server: Server::new(), model: BTreeMap::new() };
        for from in (0..MEMBERS).step_by(500) {
            world.add((from..from + 500).map(|n| (n, i64::from(n * 7919 % 1000))));
        }
        world
    }

    fn add(&mut self, members: impl Iterator<Item = (u32, i64)>) {
        let mut line = "ZADD z".to_owned();
        for (member, score) in members {
            line += &format!(" {score} m{member}");
            self.model.insert(format!("m{member}"), score);
        }
        self.server.run(&line);
    }

    fn sorted(&self) -> Vec<(i64, &str)> {
        let mut sorted: Vec<_> =
            self.model.iter().map(|(member, score)| (*score, member.as_str())).collect();
        sorted.sort_unstable();
        sorted
    }

    fn check(&mut self, at: usize) {
        let sorted = self.sorted();
        let len = sorted.len();
        let at = at % len;
        let (score, member) = (sorted[at].0, sorted[at].1.to_owned());
        let page: Vec<_> = sorted[at..len.min(at + 3)].iter().map(|(_, m)| *m).collect();
        let reversed: Vec<_> =
            sorted[..=at].iter().rev().take(3).map(|(_, m)| m.to_string()).collect();
        let lower = sorted.iter().filter(|(other, _)| *other < score).count();
        let deep: Vec<_> = sorted[lower..].iter().skip(700).take(2).map(|(_, m)| *m).collect();
        let expected = [
            (format!("ZRANK z {member}"), format!(":{at}")),
            (format!("ZREVRANK z {member}"), format!(":{}", len - 1 - at)),
            (format!("ZCOUNT z -inf ({score}"), format!(":{lower}")),
            (format!("ZCOUNT z {score} +inf"), format!(":{}", len - lower)),
            (format!("ZRANGE z {at} {}", at + 2), bulks(&page)),
            (
                format!("ZREVRANGE z {} {}", len - 1 - at, len + 1 - at),
                bulks(&reversed.iter().map(String::as_str).collect::<Vec<_>>()),
            ),
            (format!("ZRANGEBYSCORE z {score} +inf LIMIT 700 2"), bulks(&deep)),
        ];
        for (line, reply) in expected {
            assert_eq!(self.server.run(&line), reply, "{line}");
        }
    }
}

fn bulks(items: &[&str]) -> String {
    let items: Vec<_> = items.iter().map(|item| format!(" ${} {item}", item.len())).collect();
    format!("*{}{}", items.len(), items.concat())
}

#[derive(Clone, Debug)]
enum Step {
    Add(u32, i64),
    /// Many neighbours: a block grows.
    Burst(u32, i64),
    Remove(u32),
    RemoveRanks(usize, usize),
    Touch(u32),
    Check(usize),
}

fn a_step() -> impl Strategy<Value = Step> {
    let (member, score) = (0..2 * MEMBERS, -10..1010i64);
    prop_oneof![
        (member.clone(), score.clone()).prop_map(|(member, score)| Step::Add(member, score)),
        (member.clone(), score).prop_map(|(member, score)| Step::Burst(member, score)),
        member.clone().prop_map(Step::Remove),
        (0..2000usize, 0..20usize).prop_map(|(from, count)| Step::RemoveRanks(from, count)),
        member.prop_map(Step::Touch),
        any::<usize>().prop_map(Step::Check),
        any::<usize>().prop_map(Step::Check),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(12))]

    #[test]
    fn places_are_what_the_model_says(steps in prop::collection::vec(a_step(), 1..40)) {
        let mut world = World::new();
        for step in steps {
            match step {
                Step::Add(member, score) => world.add([(member, score)].into_iter()),
                Step::Burst(member, score) => {
                    world.add((member..member + 600).map(|member| (member, score)));
                }
                Step::Remove(member) => {
                    world.server.run(&format!("ZREM z m{member}"));
                    world.model.remove(&format!("m{member}"));
                }
                Step::RemoveRanks(from, count) => {
                    let sorted = world.sorted();
                    let gone: Vec<_> = sorted
                        .get(from..=(from + count).min(sorted.len() - 1))
                        .unwrap_or_default()
                        .iter()
                        .map(|(_, member)| member.to_string())
                        .collect();
                    world.server.run(&format!("ZREMRANGEBYRANK z {from} {}", from + count));
                    world.model.retain(|member, _| !gone.contains(member));
                }
                Step::Touch(member) => {
                    let member = format!("m{member}");
                    world.server.run(&format!("ZINCRBY z 0.0 {member}"));
                    world.model.entry(member).or_insert(0);
                }
                Step::Check(at) => world.check(at),
            }
        }
        world.check(1234);
    }
}

#[test]
fn a_place_is_known_to_a_reactor_once_it_was_asked() {
    let mut world = World::new();
    let line = "ZRANK z m77";
    assert_eq!(world.server.run_as(line, Mode::Try), None);
    let rank = world.server.run(line);
    assert_eq!(world.server.run_as(line, Mode::Try), Some(rank));
    assert!(world.server.run_as("ZRANGE z 3000 3010", Mode::Try).is_some());
    world.server.run("FLUSHALL");
    assert_eq!(world.server.run(line), "$-1");
    let mut again = World { server: world.server, model: BTreeMap::new() };
    again.add((0..MEMBERS).map(|n| (n, i64::from(n))));
    again.check(3999);
}
