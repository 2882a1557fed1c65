//! The structure: keys and values, arrays, maps, includes and variables.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::cursor::{Cursor, is_blank, is_newline};
use super::scalar::{Scalar, scalar};
use super::scope::{MAX_INCLUDES, MAX_VARIABLES, Shared};
use super::{Kind, Map, ParseError, Span, Value};
use crate::path::join;
use crate::source::Source;

/// Bare bcrypt hashes begin like a variable (CORE-180).
const BARE_BCRYPT: &str = "2a$";

/// Reads the file at `path` and everything it includes.
pub(crate) fn parse_file(path: &Path, source: &dyn Source) -> Result<Map, ParseError> {
    let mut shared = Shared::new(source);
    let text = shared.read(path).map_err(|reason| {
        let shown = path.display().to_string();
        let reason = reason.strip_prefix(&format!("open {shown}: ")).unwrap_or(&reason).to_owned();
        ParseError::Unreadable { path: shown, reason }
    })?;
    shared.files.push(path.to_owned());
    Parser::new(&text, &path.display().to_string(), path, &mut shared).document()
}

/// Reads text that comes from no file; `name` stands for it in messages.
pub(crate) fn parse_text(text: &str, name: &str, source: &dyn Source) -> Result<Map, ParseError> {
    let mut shared = Shared::new(source);
    Parser::new(text, name, Path::new(""), &mut shared).document()
}

struct Parser<'a, 's, 'h> {
    cursor: Cursor<'a>,
    /// Relative includes start here.
    directory: PathBuf,
    /// The maps being read, outermost first: where variables are looked up.
    scopes: Vec<Map>,
    shared: &'h mut Shared<'s>,
}

/// What a line can begin with.
enum Key {
    Named(String, Span),
    Include,
}

impl<'a, 's, 'h> Parser<'a, 's, 'h> {
    fn new(text: &'a str, name: &str, path: &Path, shared: &'h mut Shared<'s>) -> Self {
        let directory = path.parent().unwrap_or(Path::new("")).to_owned();
        Self { cursor: Cursor::new(text, Arc::from(name)), directory, scopes: vec![Map::default()], shared }
    }

    /// A whole file: keys and values, in braces or not.
    // spec: CORE-170
    fn document(mut self) -> Result<Map, ParseError> {
        let mut braces = 0_usize;
        loop {
            self.cursor.skip_space_and_comments();
            match self.cursor.peek() {
                None => break,
                Some('{') => {
                    self.cursor.next();
                    braces += 1;
                }
                Some('}') if braces > 0 => {
                    self.cursor.next();
                    braces -= 1;
                }
                Some(';' | ',') if braces > 0 => {
                    self.cursor.next();
                }
                Some('/') => return Err(self.cursor.error("Unexpected '/'; a comment starts with '//' or '#'")),
                Some(_) => {
                    if !self.top_entry()? {
                        break;
                    }
                    self.end_of_top_value(braces > 0)?;
                }
            }
        }
        Ok(self.scopes.pop().unwrap_or_default())
    }

    /// One key with its value outside of any map; `false` when a lone `}` ends the file.
    fn top_entry(&mut self) -> Result<bool, ParseError> {
        match self.key(false)? {
            Key::Include => self.include()?,
            Key::Named(key, span) => {
                self.cursor.take_while(char::is_whitespace);
                if self.cursor.peek().is_none() {
                    // spec: CORE-184
                    let end = self.cursor.span();
                    return if key == "}" { Ok(false) } else { Err(ParseError::KeyWithoutValue { key, span: end }) };
                }
                if self.cursor.peek().is_some_and(is_separator) {
                    self.cursor.next();
                }
                let value = self.value()?;
                self.insert(key, value, span);
            }
        }
        Ok(true)
    }

    /// Nothing but a comment may follow a value on its line; in braces the closing one is left for the caller.
    fn end_of_top_value(&mut self, in_braces: bool) -> Result<(), ParseError> {
        loop {
            // A lone slash behind a value means nothing, and the reference minds it as little.
            self.cursor.take_while(is_blank);
            if self.cursor.skip_comment() || (self.cursor.eat('/')) {
                continue;
            }
            return match self.cursor.peek() {
                Some('}') if in_braces => Ok(()),
                None if !in_braces => Ok(()),
                Some(c) if is_newline(c) || matches!(c, ';' | ',' | '}') => {
                    self.cursor.next();
                    Ok(())
                }
                _ => {
                    let level = if in_braces { "block-level" } else { "top-level" };
                    let shown = self.cursor.shown();
                    Err(self.cursor.error(format!(
                        "Expected a {level} value to end with a new line, comment or EOF, but got '{shown}' instead."
                    )))
                }
            };
        }
    }

    // spec: CORE-171
    fn key(&mut self, in_map: bool) -> Result<Key, ParseError> {
        match self.cursor.peek() {
            Some(c) if is_separator(c) => Err(self.cursor.error(format!("Unexpected key separator '{c}'"))),
            Some(quote @ ('"' | '\'')) => {
                self.cursor.next();
                let span = self.cursor.span();
                let key = self.cursor.take_while(|c| c != quote).to_owned();
                if !self.cursor.eat(quote) {
                    return Err(self.cursor.error("Unexpected EOF processing quoted key."));
                }
                Ok(Key::Named(key, span))
            }
            _ => {
                let (start, span) = (self.cursor.position(), self.cursor.span());
                self.cursor.next();
                self.cursor.take_while(|c| !c.is_whitespace() && !is_separator(c));
                let key = self.cursor.since(start).to_owned();
                match self.cursor.peek() {
                    None if in_map => Err(self.cursor.error("Unexpected EOF processing map key.")),
                    Some(c) if c.is_whitespace() && key.eq_ignore_ascii_case("include") => Ok(Key::Include),
                    _ => Ok(Key::Named(key, span)),
                }
            }
        }
    }

    /// A value, on the same line.
    fn value(&mut self) -> Result<Value, ParseError> {
        self.cursor.take_while(is_blank);
        let mut span = self.cursor.span();
        self.shared.count(1, &span)?;
        let kind = match self.cursor.peek() {
            // A quoted string stands where its text does.
            Some('"' | '\'') => {
                span.column += 1;
                self.scalar(&span)?
            }
            Some('[') => self.nested(&span, Self::array)?,
            Some('{') => self.nested(&span, Self::map)?,
            _ => self.scalar(&span)?,
        };
        Ok(Value { span, kind, used_as_variable: false })
    }

    fn scalar(&mut self, span: &Span) -> Result<Kind, ParseError> {
        match scalar(&mut self.cursor)? {
            Scalar::Value(kind) => Ok(kind),
            Scalar::Variable(name) => self.variable(&name, span),
        }
    }

    fn nested(
        &mut self,
        span: &Span,
        read: impl Fn(&mut Self) -> Result<Kind, ParseError>,
    ) -> Result<Kind, ParseError> {
        self.shared.check_depth(1, span)?;
        self.shared.depth += 1;
        self.cursor.next();
        let kind = read(self);
        self.shared.depth -= 1;
        kind
    }

    /// Behind `[`.
    // spec: CORE-178
    fn array(&mut self) -> Result<Kind, ParseError> {
        let mut items = Vec::new();
        loop {
            self.cursor.skip_space_and_comments();
            match self.cursor.peek() {
                Some(']') => {
                    self.cursor.next();
                    return Ok(Kind::Array(items));
                }
                Some(',' | '/') => return Err(self.cursor.error("Unexpected array value terminator ','.")),
                _ => items.push(self.value()?),
            }
            loop {
                self.cursor.take_while(is_blank);
                if !self.cursor.skip_comment() {
                    break;
                }
            }
            match self.cursor.peek() {
                Some(']') => {}
                Some(c) if c == ',' || c == '/' || is_newline(c) => {
                    self.cursor.next();
                }
                _ => {
                    let shown = self.cursor.shown();
                    return Err(self.cursor.error(format!(
                        "Expected an array value terminator \",\" or an array terminator \"]\", but got '{shown}' instead."
                    )));
                }
            }
        }
    }

    /// Behind `{`.
    // spec: CORE-178
    fn map(&mut self) -> Result<Kind, ParseError> {
        self.scopes.push(Map::default());
        loop {
            self.cursor.skip_space_and_comments();
            match self.cursor.peek() {
                None => return Err(self.cursor.error("Unexpected EOF processing map.")),
                Some(']') => return Err(self.cursor.error("Unexpected array end ']' processing map.")),
                Some('}') => {
                    self.cursor.next();
                    return Ok(Kind::Map(self.scopes.pop().unwrap_or_default()));
                }
                Some(_) => self.map_entry()?,
            }
            loop {
                self.cursor.take_while(is_blank);
                if !self.cursor.skip_comment() {
                    break;
                }
            }
            match self.cursor.peek() {
                Some('}') => {}
                Some(c) if matches!(c, ',' | ';' | '/') || is_newline(c) => {
                    self.cursor.next();
                }
                _ => {
                    let shown = self.cursor.shown();
                    return Err(self.cursor.error(format!(
                        "Expected a map value terminator \",\" or a map terminator \"}}\", but got '{shown}' instead."
                    )));
                }
            }
        }
    }

    fn map_entry(&mut self) -> Result<(), ParseError> {
        match self.key(true)? {
            Key::Include => self.include(),
            Key::Named(key, span) => {
                self.cursor.take_while(char::is_whitespace);
                if self.cursor.peek().is_some_and(is_separator) {
                    self.cursor.next();
                    self.cursor.take_while(char::is_whitespace);
                }
                match self.cursor.peek() {
                    Some(',') => return Err(self.cursor.error("Unexpected map value terminator \",\".")),
                    None | Some('}') => {
                        let shown = self.cursor.shown();
                        return Err(self
                            .cursor
                            .error(format!("Expected a value for '{key}', but got '{shown}' instead.")));
                    }
                    _ => {}
                }
                let value = self.value()?;
                self.insert(key, value, span);
                Ok(())
            }
        }
    }

    /// Sets a key of the innermost map.
    // spec: CORE-183
    fn insert(&mut self, key: String, mut value: Value, span: Span) {
        value.span = span;
        if let Some(scope) = self.scopes.last_mut() {
            scope.insert(key, value);
        }
    }

    /// What `$name` stands for: a key seen before in a map around it, or an environment variable.
    // spec: CORE-179 CORE-180
    fn variable(&mut self, name: &str, span: &Span) -> Result<Kind, ParseError> {
        if name.starts_with(BARE_BCRYPT) {
            return Ok(Kind::String(format!("${name}")));
        }
        for scope in self.scopes.iter_mut().rev() {
            if let Some(found) = scope.get_mut(name) {
                found.used_as_variable = true; // spec: CORE-181
                self.shared.check_expansion(found, span)?;
                return Ok(found.kind.clone());
            }
        }
        let bad = |reason: String| ParseError::BadVariable { name: name.into(), reason, span: span.clone() };
        if self.shared.variables.iter().any(|outer| outer == name) {
            return Err(bad(format!("variable reference cycle for '{name}'")));
        }
        let Some(text) = self.shared.source.env(name) else {
            return Err(ParseError::UnknownVariable { name: name.into(), span: span.clone() });
        };
        if self.shared.variables.len() == MAX_VARIABLES {
            return Err(bad(format!("more than {MAX_VARIABLES} variables refer to each other")));
        }
        self.shared.variables.push(name.into());
        let value = environment_value(&text, name, self.shared).map_err(|e| bad(e.to_string()));
        self.shared.variables.pop();
        let mut value = value?;
        value.relocate(span);
        Ok(value.kind)
    }

    /// `include 'path'`: the keys of that file, as if they stood here.
    // spec: CORE-182
    fn include(&mut self) -> Result<(), ParseError> {
        self.cursor.take_while(is_blank);
        let span = self.cursor.span();
        let path = self.include_path()?;
        let fail = |reason: String| ParseError::Include { path: path.clone(), reason, span: span.clone() };
        let target = join(&self.directory, &path);
        if self.shared.files.contains(&target) {
            return Err(fail(format!("{} includes itself", target.display())));
        }
        if self.shared.files.len() > MAX_INCLUDES {
            return Err(fail(format!("more than {MAX_INCLUDES} files include each other")));
        }
        let text = self.shared.read(&target).map_err(fail)?;
        self.shared.files.push(target.clone());
        let included = Parser::new(&text, &target.display().to_string(), &target, self.shared).document();
        self.shared.files.pop();
        let included = included.map_err(|e| fail(e.to_string()))?;
        if let Some(scope) = self.scopes.last_mut() {
            for entry in included.into_entries() {
                scope.insert(entry.key, entry.value);
            }
        }
        Ok(())
    }

    fn include_path(&mut self) -> Result<String, ParseError> {
        let expected = |what: &str| format!("Expected include value but found {what}");
        let refused = match self.cursor.peek() {
            Some(quote @ ('\'' | '"')) => {
                self.cursor.next();
                let path = self.cursor.take_while(|c| c != quote).to_owned();
                if self.cursor.eat(quote) {
                    return Ok(path);
                }
                "Unexpected EOF in quoted include".to_owned()
            }
            Some('[') => expected("start of an array"),
            Some('{') => expected("start of a map"),
            Some('(') => expected("start of a block"),
            Some('\\') => expected("escape sequence"),
            Some(c) if c == '-' || c.is_ascii_digit() => expected("start of a number"),
            Some(c) if is_newline(c) => expected("new line"),
            None => expected("the end of the file"),
            Some(_) => {
                let ends = |c: char| is_newline(c) || is_blank(c) || matches!(c, ';' | '}' | '\'');
                let path = self.cursor.take_while(|c| !ends(c)).to_owned();
                self.cursor.eat('\'');
                return Ok(path);
            }
        };
        Err(self.cursor.error(refused))
    }
}

/// The value of an environment variable, which is a config value itself.
fn environment_value(text: &str, name: &str, shared: &mut Shared<'_>) -> Result<Value, ParseError> {
    let mut parser = Parser::new(text, &format!("${name}"), Path::new(""), shared);
    let value = parser.value()?;
    parser.end_of_top_value(false)?;
    parser.cursor.skip_space_and_comments();
    match parser.cursor.peek() {
        None => Ok(value),
        Some(_) => Err(parser.cursor.error("Expected one value and nothing after it")),
    }
}

fn is_separator(c: char) -> bool {
    c == ':' || c == '='
}
