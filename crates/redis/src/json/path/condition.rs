//! Conditions of filters: `?(@.price < 10 && @.name =~ "^a")`.

use std::cmp::Ordering;

use regex_lite::Regex;
use serde_json::Value;

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
    fn values<'v>(&'v self, value: &'v Value, root: &'v Value) -> Result<Vec<&'v Value>, Stop> {
        match self {
            Self::Constant(constant) => Ok(vec![constant]),
            Self::Path { from_root, segments } => {
                select::values(segments, if *from_root { root } else { value }, root)
            }
        }
    }

    fn first<'v>(&'v self, value: &'v Value, root: &'v Value) -> Result<Option<&'v Value>, Stop> {
        Ok(self.values(value, root)?.first().copied())
    }
}

impl Condition {
    /// Whether it holds for a value of the document `root`.
    pub(super) fn holds(&self, value: &Value, root: &Value) -> Result<bool, Stop> {
        Ok(match self {
            Self::Any(conditions) => {
                for condition in conditions {
                    if condition.holds(value, root)? {
                        return Ok(true);
                    }
                }
                false
            }
            Self::All(conditions) => {
                for condition in conditions {
                    if !condition.holds(value, root)? {
                        return Ok(false);
                    }
                }
                true
            }
            Self::Not(condition) => !condition.holds(value, root)?,
            Self::Exists(operand) => !operand.values(value, root)?.is_empty(),
            Self::Compares(left, comparison, right) => {
                comparison.holds(left.first(value, root)?, right.first(value, root)?)
            }
            Self::Matches(text, pattern) => {
                let Some(Value::String(text)) = text.first(value, root)? else { return Ok(false) };
                match pattern {
                    Pattern::Compiled(regex) => {
                        regex.as_ref().is_some_and(|regex| regex.is_match(text))
                    }
                    Pattern::Path(operand) => match operand.first(value, root)? {
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
