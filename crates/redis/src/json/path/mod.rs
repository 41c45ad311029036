//! Paths into documents: JSONPath, which begins with `$`, and the legacy syntax.
//!
//! ```text
//! path      "$" step*        a legacy path has no "$", and its first "." may be missing
//! step      "." pick | ".." pick | bracket
//! pick      name | "*" | bracket
//! bracket   "[" ( "*" | text, … | index, … | [start] ":" [end] [ ":" step ] | "?" condition ) "]"
//! condition of "||", "&&", "!", "(…)", operand, operand ( == != < <= > >= =~ ) operand
//! operand   "@" step* | "$" step* | text | number | true | false | null
//! ```
//!
//! Both syntaxes select the same places. They differ in replies: a legacy path stands for one value.

mod condition;
mod parse;
mod select;

use serde_json::Value;

use crate::stop::Stop;
use condition::Condition;

/// `$..[?(@.a)]` still is a quick path.
const GREEDY_DEGREE: usize = 2;

/// One step down from a value.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Step {
    /// To an object's member.
    Key(String),
    /// To an array's item.
    Index(usize),
}

/// The steps from the root to a value.
pub type Location = Vec<Step>;

/// A parsed path.
#[derive(Debug)]
pub struct Path {
    segments: Vec<Segment>,
    is_legacy: bool,
    /// As it was sent.
    original: String,
    /// With the `$` that legacy paths miss.
    shown: String,
}

/// One step of a path.
#[derive(Debug)]
struct Segment {
    /// At any depth.
    is_deep: bool,
    pick: Pick,
}

/// What a step of a path picks from a value.
#[derive(Debug)]
enum Pick {
    All,
    Keys(Vec<String>),
    Indexes(Vec<i64>),
    Slice { start: Option<i64>, end: Option<i64>, step: usize },
    Filter(Condition),
}

impl Path {
    /// Parses a path.
    ///
    /// # Errors
    /// What does not fit the syntax, and where.
    pub fn parse(path: &[u8]) -> Result<Self, Stop> {
        parse::path(path)
    }

    /// The root, as a command without a path means it.
    pub fn root() -> Self {
        Self {
            segments: Vec::new(),
            is_legacy: true,
            original: ".".to_owned(),
            shown: "$".to_owned(),
        }
    }

    /// Whether it may take long even in a small document.
    pub fn is_greedy(&self) -> bool {
        degree(&self.segments) > GREEDY_DEGREE
    }

    /// Whether it stands for one value.
    pub fn is_legacy(&self) -> bool {
        self.is_legacy
    }

    /// Whether it is the root.
    pub fn is_root(&self) -> bool {
        self.segments.is_empty()
    }

    /// As it was sent.
    pub fn original(&self) -> &str {
        &self.original
    }

    /// As messages show it.
    pub fn shown(&self) -> &str {
        &self.shown
    }

    /// The values at the path, in the document's order.
    ///
    /// # Errors
    /// When there are too many of them.
    pub fn values<'d>(&self, document: &'d Value) -> Result<Vec<&'d Value>, Stop> {
        select::values(&self.segments, document, document, &select::Visits::default())
    }

    /// The places at the path, in the document's order.
    ///
    /// # Errors
    /// When there are too many of them.
    pub fn locations(&self, document: &Value) -> Result<Vec<Location>, Stop> {
        select::locations(&self.segments, document)
    }

    /// The place that a path without choices names, be there a value or not: where it begins, and the
    /// last step. `None`: the path has choices, or is the root.
    pub fn place(&self) -> Option<(Path, Step)> {
        let (last, parent) = self.segments.split_last()?;
        let mut segments = Vec::with_capacity(parent.len());
        for segment in parent {
            segments.push(segment.fixed()?);
        }
        let step = match last.fixed()?.pick {
            Pick::Keys(mut keys) => Step::Key(keys.pop()?),
            Pick::Indexes(indexes) => Step::Index(usize::try_from(*indexes.first()?).unwrap_or(0)),
            _ => return None,
        };
        Some((Self { segments, ..Self::root() }, step))
    }
}

/// How often, in powers of the document's size, a path may visit a value, at most.
fn degree(segments: &[Segment]) -> usize {
    let of_one = |segment: &Segment| {
        let of_pick = match &segment.pick {
            Pick::Filter(condition) => 1 + condition.degree(),
            Pick::Keys(keys) => usize::from(keys.len() > 1),
            Pick::Indexes(indexes) => usize::from(indexes.len() > 1),
            Pick::All | Pick::Slice { .. } => 0,
        };
        usize::from(segment.is_deep) + of_pick
    };
    segments.iter().map(of_one).sum()
}

impl Segment {
    /// A copy, if it names one place.
    fn fixed(&self) -> Option<Self> {
        let pick = match &self.pick {
            _ if self.is_deep => return None,
            Pick::Keys(keys) if keys.len() == 1 => Pick::Keys(keys.clone()),
            Pick::Indexes(indexes) if indexes.len() == 1 => Pick::Indexes(indexes.clone()),
            _ => return None,
        };
        Some(Self { is_deep: false, pick })
    }
}
