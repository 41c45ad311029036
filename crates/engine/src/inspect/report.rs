//! Plain data that any front end can print.

/// A printable value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Cell {
    /// Nothing known.
    None,
    /// A number.
    Number(u64),
    /// A signed number.
    Signed(i64),
    /// Text of ours.
    Text(String),
    /// Bytes of users.
    Bytes(Vec<u8>),
    /// Several.
    List(Vec<Self>),
}

impl From<u64> for Cell {
    fn from(number: u64) -> Self {
        Self::Number(number)
    }
}

impl From<u32> for Cell {
    fn from(number: u32) -> Self {
        Self::Number(u64::from(number))
    }
}

impl From<u8> for Cell {
    fn from(number: u8) -> Self {
        Self::Number(u64::from(number))
    }
}

impl From<usize> for Cell {
    fn from(number: usize) -> Self {
        Self::Number(number as u64)
    }
}

impl From<i64> for Cell {
    fn from(number: i64) -> Self {
        Self::Signed(number)
    }
}

impl From<&str> for Cell {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

impl From<String> for Cell {
    fn from(text: String) -> Self {
        Self::Text(text)
    }
}

impl From<&[u8]> for Cell {
    fn from(bytes: &[u8]) -> Self {
        Self::Bytes(bytes.to_vec())
    }
}

impl<T: Into<Self>> From<Option<T>> for Cell {
    fn from(value: Option<T>) -> Self {
        value.map_or(Self::None, Into::into)
    }
}

/// Names and values, in order.
pub type Row = Vec<(&'static str, Cell)>;

/// Rows of one sort.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Section {
    /// What they are.
    pub name: &'static str,
    /// The rows that were wanted.
    pub rows: Vec<Row>,
}

/// What one file says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    /// Kind of file.
    pub kind: &'static str,
    /// The file in one line.
    pub summary: String,
    /// What holds for the whole file.
    pub facts: Row,
    /// Details.
    pub sections: Vec<Section>,
    /// Rows left out because enough were printed.
    pub more: u64,
    /// Damage, in the order it was found.
    pub problems: Vec<String>,
    rows_left: usize,
}

impl Report {
    /// An empty report that takes `rows_max` rows.
    pub fn new(kind: &'static str, rows_max: usize) -> Self {
        Self {
            kind,
            summary: String::new(),
            facts: Row::new(),
            sections: Vec::new(),
            more: 0,
            problems: Vec::new(),
            rows_left: rows_max,
        }
    }

    /// Adds a fact.
    pub fn fact(&mut self, name: &'static str, value: impl Into<Cell>) {
        self.facts.push((name, value.into()));
    }

    /// Adds a row to the section `name`, made only when there is room for it.
    pub fn row(&mut self, name: &'static str, make: impl FnOnce() -> Row) {
        if self.rows_left == 0 {
            self.more += 1;
            return;
        }
        self.rows_left -= 1;
        match self.sections.iter_mut().find(|section| section.name == name) {
            Some(section) => section.rows.push(make()),
            None => self.sections.push(Section { name, rows: vec![make()] }),
        }
    }

    /// Whether another row would be kept.
    pub fn has_room(&self) -> bool {
        self.rows_left > 0
    }

    /// Adds damage.
    pub fn problem(&mut self, what: impl std::fmt::Display) {
        self.problems.push(what.to_string());
    }
}

/// A database uuid as text.
pub fn uuid_text(uuid: &[u8; 16]) -> String {
    use std::fmt::Write as _;
    uuid.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}
