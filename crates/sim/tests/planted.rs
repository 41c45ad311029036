//! Every planted bug must be caught: that measures the crash simulation.
//!
//! `make planted`, or `cargo test -p aidb-sim --features planted --test planted`. A process of its
//! own, because a bug is planted in all of it.

use aidb_engine::planted::{Bug, plant};
use aidb_sim::crash::Campaign;
use aidb_sim::crash::fault::Trial;

/// What the bug breaks, as the first test that saw it says; `None` when nothing did.
fn caught(bug: Bug) -> Option<String> {
    plant(Some(bug));
    let found = campaign(25, 400, 8_000)
        .or_else(|| campaign(250, 60, 8_000))
        .or_else(|| (0..3_000).find_map(|number| Trial::draw(number).run().err()));
    plant(None);
    found
}

fn campaign(steps: usize, moments: usize, states_max: u64) -> Option<String> {
    let campaign = Campaign { seed: 1, histories: u64::MAX / 2, steps, moments, states_max };
    campaign.run().err().map(|failure| failure.to_string())
}

#[test]
fn every_planted_bug_is_caught() {
    let mut missed = Vec::new();
    for bug in Bug::ALL {
        // A bug may also show as a panic of the engine.
        let outcome = std::panic::catch_unwind(|| caught(bug));
        match outcome {
            Ok(None) => missed.push(bug),
            Ok(Some(what)) => {
                let words: Vec<_> = what.lines().take(2).map(|line| line.trim()).collect();
                println!("{bug:?}: {:.160}", words.join(" "));
            }
            Err(_) => println!("{bug:?}: panic"),
        }
    }
    plant(None);
    assert!(missed.is_empty(), "not caught: {missed:?}");
}
