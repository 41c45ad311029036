//! Conditions of filters: `?(@.price < 10 && @.name =~ "^a")`.

use std::cmp::Ordering;

use regex_lite::Regex;
use serde_json::Value;

use super::select::Visits;
use super::{Segment, select};
use crate::stop::Stop;

/// A condition on a value.
#[derive(Debug)]
pub(super) enum Condition {
    Any(Vec<Condition>),
    All(Vec<Condition>),
    Not(Box<Condition>),
    /// A path picks something.
    Exists(Operand),
    Compares(Operand, Comparison, Operand),
    /// A text matches a pattern somewhere.
    Matches(Operand, Pattern),
}

/// One side of a comparison.
#[derive(Debug)]
pub(super) enum Operand {
    Constant(Value),
    /// From the value in question, or from the root.
    Path {
        from_root: bool,
        segments: Vec<Segment>,
    },
}

/// A regular expression: compiled, unless the document holds it. `None`: it is none.
#[derive(Debug)]
pub(super) enum Pattern {
    Compiled(Option<Regex>),
    Path(Operand),
}

/// An operator.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Comparison {
    Equal,
    Differs,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
}

impl Comparison {
    fn holds(self, left: Option<&Value>, right: Option<&Value>) -> bool {
        let order = match (left, right) {
            (Some(left), Some(right)) => compare(left, right),
            _ => None,
        };
        match self {
            Self::Equal => order == Some(Ordering::Equal),
            Self::Differs => order != Some(Ordering::Equal),
            Self::Less => order == Some(Ordering::Less),
            Self::LessOrEqual => matches!(order, Some(Ordering::Less | Ordering::Equal)),
            Self::Greater => order == Some(Ordering::Greater),
            Self::GreaterOrEqual => matches!(order, Some(Ordering::Greater | Ordering::Equal)),
        }
    }
}

/// The order of two values of one type; arrays, objects, booleans are equal or have none.
fn compare(left: &Value, right: &Value) -> Option<Ordering> {
    match (left, right) {
        (Value::Number(left), Value::Number(right)) => {
            match (left.as_i64(), right.as_i64(), left.as_u64(), right.as_u64()) {
                (Some(left), Some(right), _, _) => Some(left.cmp(&right)),
                (_, _, Some(left), Some(right)) => Some(left.cmp(&right)),
                _ => left.as_f64()?.partial_cmp(&right.as_f64()?),
            }
        }
        (Value::String(left), Value::String(right)) => Some(left.cmp(right)),
        _ => (left == right).then_some(Ordering::Equal),
    }
}

impl Operand {
    /// As [`super::degree`].
    fn degree(&self) -> usize {
        match self {
            Self::Constant(_) => 0,
            Self::Path { segments, .. } => super::degree(segments),
        }
    }

    fn values<'v>(
        &'v self,
        value: &'v Value,
        root: &'v Value,
        visits: &Visits,
    ) -> Result<Vec<&'v Value>, Stop> {
        match self {
            Self::Constant(constant) => Ok(vec![constant]),
            Self::Path { from_root, segments } => {
                select::values(segments, if *from_root { root } else { value }, root, visits)
            }
        }
    }

    fn first<'v>(
        &'v self,
        value: &'v Value,
        root: &'v Value,
        visits: &Visits,
    ) -> Result<Option<&'v Value>, Stop> {
        Ok(self.values(value, root, visits)?.first().copied())
    }
}

impl Condition {
    /// How often, in powers of the document's size, its paths may visit a value.
    pub(super) fn degree(&self) -> usize {
        match self {
            Self::Any(conditions) | Self::All(conditions) => {
                conditions.iter().map(Self::degree).max().unwrap_or(0)
            }
            Self::Not(condition) => condition.degree(),
            Self::Exists(operand) => operand.degree(),
            Self::Compares(left, _, right) => left.degree().max(right.degree()),
            Self::Matches(left, Pattern::Path(right)) => left.degree().max(right.degree()),
            Self::Matches(left, Pattern::Compiled(_)) => left.degree(),
        }
    }

    /// Whether it holds for a value of the document `root`.
    pub(super) fn holds(&self, value: &Value, root: &Value, visits: &Visits) -> Result<bool, Stop> {
        Ok(match self {
            Self::Any(conditions) => {
                for condition in conditions {
                    if condition.holds(value, root, visits)? {
                        return Ok(true);
                    }
                }
                false
            }
            Self::All(conditions) => {
                for condition in conditions {
                    if !condition.holds(value, root, visits)? {
                        return Ok(false);
                    }
                }
                true
            }
            Self::Not(condition) => !condition.holds(value, root, visits)?,
            Self::Exists(operand) => !operand.values(value, root, visits)?.is_empty(),
            Self::Compares(left, comparison, right) => comparison
                .holds(left.first(value, root, visits)?, right.first(value, root, visits)?),
            Self::Matches(text, pattern) => {
                let Some(Value::String(text)) = text.first(value, root, visits)? else {
                    return Ok(false);
                };
                match pattern {
                    Pattern::Compiled(regex) => {
                        regex.as_ref().is_some_and(|regex| regex.is_match(text))
                    }
                    Pattern::Path(operand) => match operand.first(value, root, visits)? {
                        Some(Value::String(pattern)) => {
                            Regex::new(pattern).is_ok_and(|regex| regex.is_match(text))
                        }
                        _ => false,
                    },
                }
            }
        })
    }
}
