//! A place in the text, moving forward.

use std::sync::Arc;

use super::{ParseError, Span};

/// Reads characters and knows where it is.
#[derive(Debug)]
pub(super) struct Cursor<'a> {
    text: &'a str,
    at: usize,
    line: u32,
    line_start: usize,
    file: Arc<str>,
}

impl<'a> Cursor<'a> {
    pub(super) fn new(text: &'a str, file: Arc<str>) -> Self {
        Self { text, at: 0, line: 1, line_start: 0, file }
    }

    /// The next character, which stays next; `None` at the end.
    pub(super) fn peek(&self) -> Option<char> {
        self.text[self.at..].chars().next()
    }

    /// Takes the next character.
    pub(super) fn next(&mut self) -> Option<char> {
        let c = self.peek()?;
        self.at += c.len_utf8();
        if c == '\n' {
            self.line += 1;
            self.line_start = self.at;
        }
        Some(c)
    }

    /// Takes the next character if it is `wanted`.
    pub(super) fn eat(&mut self, wanted: char) -> bool {
        let found = self.peek() == Some(wanted);
        if found {
            self.next();
        }
        found
    }

    /// Takes characters as long as `more` says so, and returns them.
    pub(super) fn take_while(&mut self, more: impl Fn(char) -> bool) -> &'a str {
        let start = self.at;
        while self.peek().is_some_and(&more) {
            self.next();
        }
        &self.text[start..self.at]
    }

    /// Whether the text ahead begins with `prefix`.
    pub(super) fn looking_at(&self, prefix: &str) -> bool {
        self.text[self.at..].starts_with(prefix)
    }

    /// Whether exactly `text` is left.
    pub(super) fn is_last(&self, text: &str) -> bool {
        &self.text[self.at..] == text
    }

    /// The text from an earlier position up to here.
    pub(super) fn since(&self, start: usize) -> &'a str {
        &self.text[start..self.at]
    }

    /// The position in bytes.
    pub(super) fn position(&self) -> usize {
        self.at
    }

    /// Skips a comment if one starts here. It ends before the newline.
    // spec: CORE-172
    pub(super) fn skip_comment(&mut self) -> bool {
        let starts = self.peek() == Some('#') || self.looking_at("//");
        if starts {
            self.take_while(|c| !is_newline(c));
        }
        starts
    }

    /// Skips blanks, newlines and comments.
    pub(super) fn skip_space_and_comments(&mut self) {
        loop {
            self.take_while(char::is_whitespace);
            if !self.skip_comment() {
                return;
            }
        }
    }

    /// Here.
    pub(super) fn span(&self) -> Span {
        let column = self.at - self.line_start + 1;
        Span { file: Arc::clone(&self.file), line: self.line, column: u32::try_from(column).unwrap_or(u32::MAX) }
    }

    /// A syntax error here.
    pub(super) fn error(&self, reason: impl Into<String>) -> ParseError {
        ParseError::Syntax { reason: reason.into(), span: self.span() }
    }

    /// The next character as error texts show it.
    pub(super) fn shown(&self) -> String {
        match self.peek() {
            None => "EOF".into(),
            Some('\n') => "\\n".into(),
            Some(c) => c.to_string(),
        }
    }
}

/// Blanks that do not end a value's line.
pub(super) fn is_blank(c: char) -> bool {
    c == ' ' || c == '\t'
}

/// Ends of line.
pub(super) fn is_newline(c: char) -> bool {
    c == '\n' || c == '\r'
}
