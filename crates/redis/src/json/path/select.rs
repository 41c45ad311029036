//! Finds what a path picks from a document.

use std::cell::Cell;

use serde_json::Value;

use super::{Location, Pick, Segment, Step};
use crate::stop::Stop;

/// Values that a path and its conditions may visit together: `..` within `..` of a large document
/// would never end.
const VISITS_MAX: usize = 4 << 20;

/// Visits that a path has left.
#[derive(Debug)]
pub(super) struct Visits(Cell<usize>);

impl Default for Visits {
    fn default() -> Self {
        Self(Cell::new(VISITS_MAX))
    }
}

impl Visits {
    fn take(&self) -> Result<(), Stop> {
        let left = self.0.get().checked_sub(1).ok_or_else(|| {
            Stop::fail(format!(
                "ERR the path visits more than {VISITS_MAX} values; use fewer `..` and conditions"
            ))
        })?;
        self.0.set(left);
        Ok(())
    }
}

/// A value on the way, and how it was reached.
struct Node<'d> {
    value: &'d Value,
    /// Its place among the nodes, and the step from there; the root has none.
    reached: Option<(usize, Reach<'d>)>,
}

#[derive(Clone, Copy)]
enum Reach<'d> {
    Key(&'d str),
    Index(usize),
}

/// All nodes seen so far; each knows the one above it.
struct Search<'d, 'v> {
    root: &'d Value,
    nodes: Vec<Node<'d>>,
    visits: &'v Visits,
}

pub(super) fn values<'d>(
    segments: &[Segment],
    start: &'d Value,
    root: &'d Value,
    visits: &Visits,
) -> Result<Vec<&'d Value>, Stop> {
    let (search, found) = Search::run(segments, start, root, visits)?;
    Ok(found.into_iter().map(|at| search.nodes[at].value).collect())
}

pub(super) fn locations(segments: &[Segment], root: &Value) -> Result<Vec<Location>, Stop> {
    let visits = Visits::default();
    let (search, found) = Search::run(segments, root, root, &visits)?;
    Ok(found.into_iter().map(|at| search.location(at)).collect())
}

impl<'d, 'v> Search<'d, 'v> {
    fn run(
        segments: &[Segment],
        start: &'d Value,
        root: &'d Value,
        visits: &'v Visits,
    ) -> Result<(Self, Vec<usize>), Stop> {
        let mut search = Self { root, nodes: vec![Node { value: start, reached: None }], visits };
        let mut found = vec![0];
        for segment in segments {
            let mut next = Vec::new();
            for at in found {
                if segment.is_deep {
                    search.pick_below(at, &segment.pick, &mut next)?;
                } else {
                    search.pick(at, &segment.pick, &mut next)?;
                }
            }
            found = next;
        }
        Ok((search, found))
    }

    fn location(&self, mut at: usize) -> Location {
        let mut steps = Vec::new();
        while let Some((above, reach)) = self.nodes[at].reached {
            steps.push(match reach {
                Reach::Key(key) => Step::Key(key.to_owned()),
                Reach::Index(index) => Step::Index(index),
            });
            at = above;
        }
        steps.reverse();
        steps
    }

    fn add(&mut self, above: usize, reach: Reach<'d>, value: &'d Value) -> Result<usize, Stop> {
        self.visits.take()?;
        self.nodes.push(Node { value, reached: Some((above, reach)) });
        Ok(self.nodes.len() - 1)
    }

    /// The values right below a node.
    fn children(&self, at: usize) -> Box<dyn Iterator<Item = (Reach<'d>, &'d Value)> + 'd> {
        match self.nodes[at].value {
            Value::Array(items) => {
                Box::new(items.iter().enumerate().map(|(i, item)| (Reach::Index(i), item)))
            }
            Value::Object(members) => {
                Box::new(members.iter().map(|(key, value)| (Reach::Key(key), value)))
            }
            _ => Box::new(std::iter::empty()),
        }
    }

    /// Picks from a node and from everything below it. Documents are not deep, so this may recurse.
    fn pick_below(&mut self, at: usize, pick: &Pick, found: &mut Vec<usize>) -> Result<(), Stop> {
        self.pick(at, pick, found)?;
        for (reach, value) in self.children(at) {
            if value.is_array() || value.is_object() {
                let below = self.add(at, reach, value)?;
                self.pick_below(below, pick, found)?;
            }
        }
        Ok(())
    }

    fn pick(&mut self, at: usize, pick: &Pick, found: &mut Vec<usize>) -> Result<(), Stop> {
        match (pick, self.nodes[at].value) {
            (Pick::All, _) => {
                for (reach, value) in self.children(at) {
                    found.push(self.add(at, reach, value)?);
                }
            }
            (Pick::Filter(condition), _) => {
                for (reach, value) in self.children(at) {
                    self.visits.take()?;
                    if condition.holds(value, self.root, self.visits)? {
                        found.push(self.add(at, reach, value)?);
                    }
                }
            }
            (Pick::Keys(keys), Value::Object(members)) => {
                for key in keys {
                    if let Some((key, value)) = members.get_key_value(key) {
                        found.push(self.add(at, Reach::Key(key), value)?);
                    }
                }
            }
            (Pick::Indexes(indexes), Value::Array(items)) => {
                for index in indexes {
                    let len = items.len() as i64;
                    let index = if *index < 0 { len + index } else { *index };
                    if (0..len).contains(&index) {
                        let index = index as usize;
                        found.push(self.add(at, Reach::Index(index), &items[index])?);
                    }
                }
            }
            (Pick::Slice { start, end, step }, Value::Array(items)) => {
                let bound = |index: i64| {
                    let len = items.len() as i64;
                    (if index < 0 { len.saturating_add(index) } else { index }).clamp(0, len)
                        as usize
                };
                let (start, end) = (bound(start.unwrap_or(0)), end.map_or(items.len(), bound));
                for index in (start..end).step_by(*step) {
                    found.push(self.add(at, Reach::Index(index), &items[index])?);
                }
            }
            _ => {}
        }
        Ok(())
    }
}
