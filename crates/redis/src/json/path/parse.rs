//! Reads paths.

use regex_lite::Regex;
use serde_json::Value;

use super::condition::{Comparison, Condition, Operand, Pattern};
use super::{Path, Pick, Segment};
use crate::stop::Stop;

/// Deepest nesting of parentheses and filters.
const NESTING_MAX: usize = 32;

/// Operators, the longer ones first.
const COMPARISONS: [(&str, Comparison); 6] = [
    ("==", Comparison::Equal),
    ("!=", Comparison::Differs),
    ("<=", Comparison::LessOrEqual),
    (">=", Comparison::GreaterOrEqual),
    ("<", Comparison::Less),
    (">", Comparison::Greater),
];

pub(super) fn path(bytes: &[u8]) -> Result<Path, Stop> {
    let original = std::str::from_utf8(bytes)
        .map_err(|_| Stop::fail("ERR Couldn't parse as UTF-8 string"))?
        .to_owned();
    let rest = original.strip_prefix('$');
    let is_legacy = rest.is_none_or(|rest| !rest.is_empty() && !rest.starts_with(['.', '[']));
    let shown = match &original {
        path if !is_legacy => path.clone(),
        path if path == "." => "$".to_owned(),
        path if path.starts_with(['.', '[']) => format!("${path}"),
        path => format!("$.{path}"),
    };
    let mut parser = Parser { text: &shown, at: 1, nesting: 0 };
    if original.is_empty() {
        return Err(parser.refuse("a path"));
    }
    let segments = parser.segments(false)?;
    if parser.at < shown.len() {
        return Err(parser.refuse("`.`, `[` or the end"));
    }
    Ok(Path { segments, is_legacy, original, shown })
}

struct Parser<'t> {
    text: &'t str,
    at: usize,
    nesting: usize,
}

impl<'t> Parser<'t> {
    fn rest(&self) -> &'t str {
        &self.text[self.at..]
    }

    #[cold]
    fn refuse(&self, expected: &str) -> Stop {
        Stop::fail(format!(
            "ERR JSON Path error: path error: expected {expected} at position {} of '{}'",
            self.at + 1,
            self.text
        ))
    }

    fn take(&mut self, token: &str) -> bool {
        let is_there = self.rest().starts_with(token);
        if is_there {
            self.at += token.len();
        }
        is_there
    }

    fn skip_blanks(&mut self) {
        self.at += self.rest().len() - self.rest().trim_start().len();
    }

    fn expect(&mut self, token: &str) -> Result<(), Stop> {
        self.skip_blanks();
        match self.take(token) {
            true => Ok(()),
            false => Err(self.refuse(&format!("`{token}`"))),
        }
    }

    /// Steps as long as there are any.
    fn segments(&mut self, in_filter: bool) -> Result<Vec<Segment>, Stop> {
        let mut segments = Vec::new();
        loop {
            let is_deep = self.take("..");
            if is_deep || self.take(".") {
                let pick = if self.take("*") {
                    Pick::All
                } else if self.take("[") {
                    self.bracket()?
                } else {
                    Pick::Keys(vec![self.name(in_filter)?])
                };
                segments.push(Segment { is_deep, pick });
            } else if self.take("[") {
                segments.push(Segment { is_deep, pick: self.bracket()? });
            } else {
                return Ok(segments);
            }
        }
    }

    fn name(&mut self, in_filter: bool) -> Result<String, Stop> {
        let ends = |c: char| match in_filter {
            true => !(c.is_alphanumeric() || matches!(c, '_' | '-' | '$')),
            false => matches!(c, '.' | '[' | ']' | '"' | '\'' | '*' | '(' | ')' | '?'),
        };
        let len = self.rest().find(ends).unwrap_or(self.rest().len());
        if len == 0 {
            return Err(self.refuse("a name"));
        }
        let name = self.rest()[..len].to_owned();
        self.at += len;
        Ok(name)
    }

    /// What follows a `[`, and the `]`.
    fn bracket(&mut self) -> Result<Pick, Stop> {
        self.skip_blanks();
        let pick = match self.rest().as_bytes().first() {
            Some(b'*') => {
                self.at += 1;
                Pick::All
            }
            Some(b'?') => {
                self.at += 1;
                Pick::Filter(self.any()?)
            }
            Some(b'"' | b'\'') => Pick::Keys(self.list(Self::quoted)?),
            _ => self.indexes()?,
        };
        self.expect("]")?;
        Ok(pick)
    }

    fn list<T>(&mut self, item: impl Fn(&mut Self) -> Result<T, Stop>) -> Result<Vec<T>, Stop> {
        let mut items = Vec::new();
        loop {
            self.skip_blanks();
            items.push(item(self)?);
            self.skip_blanks();
            if !self.take(",") {
                return Ok(items);
            }
        }
    }

    fn indexes(&mut self) -> Result<Pick, Stop> {
        let start = self.optional_index()?;
        self.skip_blanks();
        if self.take(":") {
            self.skip_blanks();
            let end = self.optional_index()?;
            self.skip_blanks();
            let step = if self.take(":") { self.optional_index()?.unwrap_or(1) } else { 1 };
            let step = usize::try_from(step).ok().filter(|step| *step > 0);
            let step = step.ok_or_else(|| self.refuse("a step above 0"))?;
            return Ok(Pick::Slice { start, end, step });
        }
        let mut indexes = vec![start.ok_or_else(|| self.refuse("an index, a text, `*` or `?`"))?];
        if self.take(",") {
            indexes.extend(self.list(|parser| {
                let index = parser.optional_index()?;
                index.ok_or_else(|| parser.refuse("an index"))
            })?);
        }
        Ok(Pick::Indexes(indexes))
    }

    fn optional_index(&mut self) -> Result<Option<i64>, Stop> {
        let sign = usize::from(self.rest().starts_with('-'));
        let digits = self.rest()[sign..].bytes().take_while(u8::is_ascii_digit).count();
        if digits == 0 {
            return if sign == 0 { Ok(None) } else { Err(self.refuse("an index")) };
        }
        let index = self.rest()[..sign + digits].parse();
        let index = index.map_err(|_| self.refuse("an index of 64 bits"))?;
        self.at += sign + digits;
        Ok(Some(index))
    }

    /// A text in single or double quotes.
    fn quoted(&mut self) -> Result<String, Stop> {
        let mut chars = self.rest().char_indices();
        let quote =
            chars.next().map(|(_, quote)| quote).filter(|quote| matches!(quote, '"' | '\''));
        let quote = quote.ok_or_else(|| self.refuse("a text in quotes"))?;
        let mut text = String::new();
        while let Some((place, c)) = chars.next() {
            match c {
                '\\' => match chars.next() {
                    Some((_, 'n')) => text.push('\n'),
                    Some((_, 'r')) => text.push('\r'),
                    Some((_, 't')) => text.push('\t'),
                    Some((_, 'b')) => text.push('\u{8}'),
                    Some((_, 'f')) => text.push('\u{c}'),
                    Some((_, escaped @ ('"' | '\'' | '\\' | '/'))) => text.push(escaped),
                    // What is no escape of JSON belongs to a regular expression.
                    Some((_, other)) => text.extend(['\\', other]),
                    None => break,
                },
                c if c == quote => {
                    self.at += place + 1;
                    return Ok(text);
                }
                c => text.push(c),
            }
        }
        Err(self.refuse("the end of a text"))
    }

    fn any(&mut self) -> Result<Condition, Stop> {
        self.nesting += 1;
        if self.nesting > NESTING_MAX {
            return Err(self.refuse(&format!("at most {NESTING_MAX} conditions within each other")));
        }
        let mut conditions = vec![self.all()?];
        while self.take_operator("||") {
            conditions.push(self.all()?);
        }
        self.nesting -= 1;
        Ok(Condition::Any(conditions))
    }

    fn all(&mut self) -> Result<Condition, Stop> {
        let mut conditions = vec![self.one()?];
        while self.take_operator("&&") {
            conditions.push(self.one()?);
        }
        Ok(Condition::All(conditions))
    }

    fn take_operator(&mut self, operator: &str) -> bool {
        self.skip_blanks();
        self.take(operator)
    }

    fn one(&mut self) -> Result<Condition, Stop> {
        if self.take_operator("(") {
            let condition = self.any()?;
            self.expect(")")?;
            return Ok(condition);
        }
        if self.take("!") {
            self.nesting += 1;
            if self.nesting > NESTING_MAX {
                return Err(self.refuse("fewer `!`"));
            }
            let condition = Condition::Not(Box::new(self.one()?));
            self.nesting -= 1;
            return Ok(condition);
        }
        let left = self.operand()?;
        if self.take_operator("=~") {
            self.skip_blanks();
            let pattern = match self.operand()? {
                Operand::Constant(Value::String(pattern)) => {
                    Pattern::Compiled(Regex::new(&pattern).ok())
                }
                Operand::Constant(_) => Pattern::Compiled(None),
                path => Pattern::Path(path),
            };
            return Ok(Condition::Matches(left, pattern));
        }
        for (token, comparison) in COMPARISONS {
            if self.take(token) {
                self.skip_blanks();
                return Ok(Condition::Compares(left, comparison, self.operand()?));
            }
        }
        match left {
            Operand::Constant(Value::Bool(is_true)) => Ok(match is_true {
                true => Condition::All(Vec::new()),
                false => Condition::Any(Vec::new()),
            }),
            Operand::Constant(_) => Err(self.refuse("a comparison")),
            path => Ok(Condition::Exists(path)),
        }
    }

    fn operand(&mut self) -> Result<Operand, Stop> {
        for (token, from_root) in [("@", false), ("$", true)] {
            if self.take(token) {
                return Ok(Operand::Path { from_root, segments: self.segments(true)? });
            }
        }
        for (token, value) in
            [("true", Value::Bool(true)), ("false", Value::Bool(false)), ("null", Value::Null)]
        {
            if self.take(token) {
                return Ok(Operand::Constant(value));
            }
        }
        if self.rest().starts_with(['"', '\'']) {
            return Ok(Operand::Constant(Value::String(self.quoted()?)));
        }
        let len = self.rest().bytes().take_while(|b| b"+-.eE0123456789".contains(b)).count();
        let number = serde_json::from_str(&self.rest()[..len]).ok().filter(Value::is_number);
        let number = number.ok_or_else(|| self.refuse("a path, a text or a number"))?;
        self.at += len;
        Ok(Operand::Constant(number))
    }
}
