//! Text of values, with indentation and line breaks as a client wishes them.

use serde_json::{Number, Value};

/// How to lay out text; empty: compact.
#[derive(Clone, Copy, Debug, Default)]
pub struct Layout<'a> {
    /// In front of a line, once per level.
    pub indent: &'a [u8],
    /// At the end of a line.
    pub newline: &'a [u8],
    /// Behind the colon of a member.
    pub space: &'a [u8],
}

impl Layout<'_> {
    /// Whether there is nothing between the tokens.
    pub fn is_compact(&self) -> bool {
        self.indent.is_empty() && self.newline.is_empty() && self.space.is_empty()
    }
}

/// Writes text of one layout.
#[derive(Debug)]
pub struct Writer<'a> {
    out: Vec<u8>,
    layout: Layout<'a>,
    level: usize,
}

impl<'a> Writer<'a> {
    /// Nothing written yet.
    pub fn new(layout: Layout<'a>) -> Self {
        Self { out: Vec::new(), layout, level: 0 }
    }

    /// The text.
    pub fn finish(self) -> Vec<u8> {
        self.out
    }

    /// Writes a value.
    pub fn value(&mut self, value: &Value) {
        match value {
            Value::Array(items) => self.array(items.iter()),
            Value::Object(members) => {
                self.object(members.iter().map(|(key, value)| (key.as_str(), value)), Self::value);
            }
            scalar => self.scalar(scalar),
        }
    }

    /// Writes values as an array.
    pub fn array<'v>(&mut self, values: impl Iterator<Item = &'v Value>) {
        self.out.push(b'[');
        self.items(values, |writer, value| writer.value(value));
        self.out.push(b']');
    }

    /// Writes an object whose values `write` writes.
    pub fn object<'k, V>(
        &mut self,
        members: impl Iterator<Item = (&'k str, V)>,
        write: impl Fn(&mut Self, V),
    ) {
        self.out.push(b'{');
        self.items(members, |writer, (key, value)| {
            writer.text(key);
            writer.out.push(b':');
            writer.out.extend_from_slice(writer.layout.space);
            write(writer, value);
        });
        self.out.push(b'}');
    }

    fn items<I>(&mut self, items: impl Iterator<Item = I>, write: impl Fn(&mut Self, I)) {
        self.level += 1;
        let mut is_empty = true;
        for item in items {
            if !is_empty {
                self.out.push(b',');
            }
            is_empty = false;
            self.line();
            write(self, item);
        }
        self.level -= 1;
        if !is_empty {
            self.line();
        }
    }

    fn line(&mut self) {
        self.out.extend_from_slice(self.layout.newline);
        for _ in 0..self.level {
            self.out.extend_from_slice(self.layout.indent);
        }
    }

    fn scalar(&mut self, value: &Value) {
        if let Value::Number(number) = value {
            return self.out.extend_from_slice(text_of(number).as_bytes());
        }
        // Writing into memory does not fail.
        let _ = serde_json::to_writer(&mut self.out, value);
    }

    fn text(&mut self, text: &str) {
        let _ = serde_json::to_writer(&mut self.out, text);
    }
}

/// The text of a number; exponents have no `+`, as in RedisJSON.
pub fn text_of(number: &Number) -> String {
    let text = number.to_string();
    if text.contains("e+") { text.replace("e+", "e") } else { text }
}

/// The compact text of a value.
pub fn compact(value: &Value) -> Vec<u8> {
    let mut writer = Writer::new(Layout::default());
    writer.value(value);
    writer.finish()
}
