//! Merge of sorted sources by a loser tree.
//!
//! ```text
//!            winner: 2                 Inner node n holds the loser of the match between the winners
//!               [1]=0                  of its subtrees; leaf i is node k + i. When the winner moves,
//!          [2]=3     [3]=1             only the matches on its way to the root are played again.
//!        s2    s3  s0    s1
//! ```
//!
//! Run-ahead: the runner-up is the best of the losers the winner has beaten. While the winner's new
//! entry still beats the runner-up, no match is played: a step costs one comparison, or none when
//! there is a single source. The runner-up is looked for only when one source has won twice in a row.
//!
//! Order: key ascending, sequence number descending, source index ascending. Going forward, every
//! source stands at its first entry at or after the merge's entry in this order; going backward, at
//! its last entry at or before it. A switch of direction moves every other source by one step.

use std::cmp::Ordering;
use std::ops::ControlFlow;

use aidb_base::{Result, Seq};

use super::{AnyCursor, Cursor, Ran, compare_keys};
use crate::entry::Entry;

#[derive(Clone, Copy, PartialEq, Eq)]
enum Direction {
    Forward,
    Backward,
}

/// The best source but the winner.
#[derive(Clone, Copy, PartialEq, Eq)]
enum RunnerUp {
    Unknown,
    Source(usize),
}

/// A cursor over the union of its sources; all versions of a key are visited.
pub struct MergeCursor<C = AnyCursor> {
    sources: Vec<C>,
    /// Node 0: the winner; node n: the loser there.
    tree: Vec<usize>,
    runner_up: RunnerUp,
    direction: Direction,
}

impl<C: Cursor> MergeCursor<C> {
    /// A merge of `sources`; on equal key and sequence number the earlier source comes first.
    pub fn new(sources: Vec<C>) -> Self {
        let tree = vec![0; sources.len()];
        Self { sources, tree, runner_up: RunnerUp::Unknown, direction: Direction::Forward }
    }

    /// Number of sources.
    pub fn sources(&self) -> usize {
        self.sources.len()
    }

    /// Whether source `a` comes before source `b` in the current direction; one at no entry is last.
    #[inline]
    fn beats(&self, a: usize, b: usize) -> bool {
        match (self.sources[a].key_and_seq(), self.sources[b].key_and_seq()) {
            (Some(left), Some(right)) => {
                let order = compare(left, right).then(a.cmp(&b));
                match self.direction {
                    Direction::Forward => order == Ordering::Less,
                    Direction::Backward => order == Ordering::Greater,
                }
            }
            (left, _) => left.is_some(),
        }
    }

    /// Plays every match.
    fn rebuild(&mut self) {
        let count = self.sources.len();
        self.runner_up = RunnerUp::Unknown;
        if count < 2 {
            return;
        }
        let mut winners = vec![0; count * 2];
        for (source, winner) in winners[count..].iter_mut().enumerate() {
            *winner = source;
        }
        for node in (1..count).rev() {
            let (left, right) = (winners[node * 2], winners[node * 2 + 1]);
            let left_wins = self.beats(left, right);
            winners[node] = if left_wins { left } else { right };
            self.tree[node] = if left_wins { right } else { left };
        }
        self.tree[0] = winners[1];
    }

    /// Plays the matches of the winner again after it moved.
    #[inline]
    fn settle(&mut self) {
        let count = self.sources.len();
        if count < 2 {
            return;
        }
        let leader = self.tree[0];
        if let RunnerUp::Source(runner_up) = self.runner_up {
            if self.beats(leader, runner_up) {
                return;
            }
            if count == 2 {
                self.tree.swap(0, 1);
                self.runner_up = RunnerUp::Source(leader);
                return;
            }
        }
        self.replay(leader);
    }

    fn replay(&mut self, leader: usize) {
        let mut winner = leader;
        let mut node = (self.sources.len() + leader) / 2;
        while node > 0 {
            if self.beats(self.tree[node], winner) {
                std::mem::swap(&mut self.tree[node], &mut winner);
            }
            node /= 2;
        }
        self.tree[0] = winner;
        self.runner_up = match winner == leader {
            true => RunnerUp::Source(self.best_loser(winner)),
            false => RunnerUp::Unknown,
        };
    }

    fn best_loser(&self, winner: usize) -> usize {
        let mut node = (self.sources.len() + winner) / 2;
        let mut best = self.tree[node];
        while node > 1 {
            node /= 2;
            if self.beats(self.tree[node], best) {
                best = self.tree[node];
            }
        }
        best
    }

    /// The winner, and the key of the runner-up, which is found if it was not known.
    #[inline]
    fn leader_and_rival(&mut self) -> (&mut C, Option<&[u8]>) {
        let leader = self.tree[0];
        if self.sources.len() == 1 {
            return (&mut self.sources[0], None);
        }
        let rival = match self.runner_up {
            RunnerUp::Source(rival) => rival,
            RunnerUp::Unknown => self.best_loser(leader),
        };
        self.runner_up = RunnerUp::Source(rival);
        let (low, high) = self.sources.split_at_mut(leader.max(rival));
        let (leader, rival) = match leader < rival {
            true => (&mut low[leader], &high[0]),
            false => (&mut high[0], &low[rival]),
        };
        (leader, rival.key_and_seq().map(|(key, _)| key))
    }

    fn seek_all(
        &mut self,
        direction: Direction,
        mut seek: impl FnMut(&mut C) -> Result<()>,
    ) -> Result<()> {
        self.direction = direction;
        let result = self.sources.iter_mut().try_for_each(&mut seek);
        self.finish(result)?;
        self.rebuild();
        Ok(())
    }

    /// After an error the merge is at no entry.
    #[inline]
    fn finish(&mut self, result: Result<()>) -> Result<()> {
        if result.is_err() {
            self.sources.iter_mut().for_each(|source| drop(source.seek_before(b"")));
            self.rebuild();
        }
        result
    }

    /// Moves the winner by one step and every other source to the other side of its entry.
    #[cold]
    fn turn(&mut self) -> Result<()> {
        if self.key_and_seq().is_none() {
            return Ok(());
        }
        let winner = self.tree[0];
        let forward = self.direction == Direction::Backward;
        self.direction = if forward { Direction::Forward } else { Direction::Backward };
        let result = self.sources.iter_mut().enumerate().try_for_each(|(index, source)| {
            match (forward, source.key_and_seq().is_some() || index == winner) {
                (true, true) => source.next(),
                (true, false) => source.seek_to_first(),
                (false, true) => source.prev(),
                (false, false) => source.seek_to_last(),
            }
        });
        self.finish(result)?;
        self.rebuild();
        Ok(())
    }
}

#[inline]
fn is_less(a: &[u8], b: &[u8]) -> bool {
    compare_keys(a, b).is_lt()
}

#[inline]
fn compare(a: (&[u8], Seq), b: (&[u8], Seq)) -> Ordering {
    compare_keys(a.0, b.0).then_with(|| b.1.cmp(&a.1))
}

impl<C: Cursor> Cursor for MergeCursor<C> {
    fn seek_to_first(&mut self) -> Result<()> {
        self.seek_all(Direction::Forward, C::seek_to_first)
    }

    fn seek_to_last(&mut self) -> Result<()> {
        self.seek_all(Direction::Backward, C::seek_to_last)
    }

    fn seek(&mut self, key: &[u8]) -> Result<()> {
        self.seek_all(Direction::Forward, |source| source.seek(key))
    }

    fn seek_before(&mut self, key: &[u8]) -> Result<()> {
        self.seek_all(Direction::Backward, |source| source.seek_before(key))
    }

    #[inline]
    fn next(&mut self) -> Result<()> {
        if self.direction == Direction::Backward {
            return self.turn();
        }
        if self.sources.is_empty() {
            return Ok(());
        }
        let moved = self.sources[self.tree[0]].next();
        self.finish(moved)?;
        self.settle();
        Ok(())
    }

    #[inline]
    fn prev(&mut self) -> Result<()> {
        if self.direction == Direction::Forward {
            return self.turn();
        }
        if self.sources.is_empty() {
            return Ok(());
        }
        let moved = self.sources[self.tree[0]].prev();
        self.finish(moved)?;
        self.settle();
        Ok(())
    }

    #[inline(always)]
    fn entry(&self) -> Option<Entry<'_>> {
        let winner = *self.tree.first()?;
        self.sources[winner].entry()
    }

    #[inline(always)]
    fn key_and_seq(&self) -> Option<(&[u8], Seq)> {
        let winner = *self.tree.first()?;
        self.sources[winner].key_and_seq()
    }

    /// The leader runs up to the runner-up.
    #[inline]
    fn run<F>(&mut self, until: Option<&[u8]>, visit: &mut F) -> Result<Ran>
    where
        F: FnMut(Entry<'_>) -> ControlFlow<()>,
    {
        if self.direction == Direction::Backward || self.sources.is_empty() {
            return Ok(Ran::Stayed);
        }
        let ran = match self.leader_and_rival() {
            (leader, None) => leader.run(until, visit),
            (leader, Some(rival))
                if !leader.key_and_seq().is_some_and(|at| is_less(at.0, rival)) =>
            {
                Ok(Ran::Stayed)
            }
            (leader, Some(rival)) => {
                let until = until.filter(|until| is_less(until, rival));
                leader.run(Some(until.unwrap_or(rival)), visit)
            }
        };
        match &ran {
            Ok(Ran::Stayed) => {}
            Ok(Ran::Ahead) => self.settle(),
            Err(error) => self.finish(Err(error.clone()))?,
        }
        ran
    }
}

#[cfg(test)]
mod tests;
