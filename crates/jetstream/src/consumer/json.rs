//! The JSON of pull requests and delays: one flat object, read without building it, with the errors that clients know.
//!
//! Names match in any case, unknown ones are passed over, `null` leaves a field as it was.

/// Objects and arrays may be this deep in each other.
const MAX_DEPTH: usize = 500;

/// A value in the text.
#[derive(Debug, Clone, Copy)]
pub(super) struct Value<'a>(&'a [u8]);

impl Value<'_> {
    /// What kind it is, in the words of errors.
    fn kind(self) -> &'static str {
        match self.0.first() {
            Some(b'"') => "string",
            Some(b'{') => "object",
            Some(b'[') => "array",
            Some(b't' | b'f') => "bool",
            _ => "number",
        }
    }

    fn wrong(self, name: &str, target: &str) -> String {
        format!("json: cannot unmarshal {} into Go struct field .{name} of type {target}", self.kind())
    }

    fn is_null(self) -> bool {
        self.0 == b"null"
    }

    /// Sets an integer.
    pub(super) fn integer(self, name: &str, target: &str, into: &mut i64) -> Result<(), String> {
        if self.is_null() {
            return Ok(());
        }
        if self.kind() != "number" {
            return Err(self.wrong(name, target));
        }
        let text = std::str::from_utf8(self.0).unwrap_or_default();
        *into = text.parse().map_err(|_| {
            format!("json: cannot unmarshal number {text} into Go struct field .{name} of type {target}")
        })?;
        Ok(())
    }

    /// Sets a truth value.
    pub(super) fn boolean(self, name: &str, into: &mut bool) -> Result<(), String> {
        match self.0 {
            b"null" => {}
            b"true" => *into = true,
            b"false" => *into = false,
            _ => return Err(self.wrong(name, "bool")),
        }
        Ok(())
    }

    /// Sets a text.
    pub(super) fn text(self, name: &str, into: &mut String) -> Result<(), String> {
        if self.is_null() {
            return Ok(());
        }
        if self.kind() != "string" {
            return Err(self.wrong(name, "string"));
        }
        let text = String::from_utf8_lossy(self.0);
        *into = serde_json::from_str(&text).unwrap_or_default();
        Ok(())
    }
}

/// Takes a name and a value.
pub(super) type Field<'f, 'a> = dyn FnMut(&[u8], Value<'a>) -> Result<(), String> + 'f;

/// Calls `field` with each name and value of an object, once the whole text has been found to be JSON.
pub(super) fn fields<'a>(text: &'a [u8], field: &mut Field<'_, 'a>) -> Result<(), String> {
    let mut scanner = Scanner { text, at: 0, depth: 0 };
    scanner.value()?;
    scanner.blanks();
    if scanner.at < text.len() {
        return Err(scanner.bad("after top-level value"));
    }
    let mut scanner = Scanner { text, at: 0, depth: 0 };
    scanner.blanks();
    scanner.at += 1;
    loop {
        scanner.blanks();
        if matches!(text.get(scanner.at), None | Some(b'}')) {
            return Ok(());
        }
        let start = scanner.at;
        scanner.string()?;
        let name = &text[start + 1..scanner.at - 1];
        scanner.blanks();
        scanner.at += 1;
        scanner.blanks();
        let start = scanner.at;
        scanner.value()?;
        field(name, Value(&text[start..scanner.at]))?;
        scanner.blanks();
        if text.get(scanner.at) == Some(&b',') {
            scanner.at += 1;
        }
    }
}

struct Scanner<'a> {
    text: &'a [u8],
    at: usize,
    depth: usize,
}

impl Scanner<'_> {
    fn peek(&self) -> Result<u8, String> {
        self.text.get(self.at).copied().ok_or_else(|| "unexpected end of JSON input".to_owned())
    }

    /// The error of the byte that is next.
    fn bad(&self, why: &str) -> String {
        let Ok(byte) = self.peek() else { return "unexpected end of JSON input".to_owned() };
        match byte {
            b'\'' => format!(r"invalid character '\'' {why}"),
            b'\n' => format!(r"invalid character '\n' {why}"),
            b'\r' => format!(r"invalid character '\r' {why}"),
            b'\t' => format!(r"invalid character '\t' {why}"),
            b'\\' => format!(r"invalid character '\\' {why}"),
            0..0x20 | 0x7f => format!(r"invalid character '\x{byte:02x}' {why}"),
            0x80..0xa0 => format!(r"invalid character '\u00{byte:02x}' {why}"),
            _ => format!("invalid character '{}' {why}", char::from(byte)),
        }
    }

    fn blanks(&mut self) {
        while matches!(self.text.get(self.at), Some(b' ' | b'\t' | b'\r' | b'\n')) {
            self.at += 1;
        }
    }

    fn value(&mut self) -> Result<(), String> {
        self.blanks();
        match self.peek()? {
            b'{' => self.nested(Self::object),
            b'[' => self.nested(Self::array),
            b'"' => self.string(),
            b't' => self.literal("true"),
            b'f' => self.literal("false"),
            b'n' => self.literal("null"),
            b'-' | b'0'..=b'9' => self.number(),
            _ => Err(self.bad("looking for beginning of value")),
        }
    }

    fn nested(&mut self, read: fn(&mut Self) -> Result<(), String>) -> Result<(), String> {
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            return Err("exceeded max depth".to_owned());
        }
        self.at += 1;
        self.blanks();
        read(self)?;
        self.depth -= 1;
        Ok(())
    }

    fn object(&mut self) -> Result<(), String> {
        if self.peek()? == b'}' {
            self.at += 1;
            return Ok(());
        }
        loop {
            self.blanks();
            if self.peek()? != b'"' {
                return Err(self.bad("looking for beginning of object key string"));
            }
            self.string()?;
            self.blanks();
            if self.peek()? != b':' {
                return Err(self.bad("after object key"));
            }
            self.at += 1;
            self.value()?;
            self.blanks();
            match self.peek()? {
                b',' => self.at += 1,
                b'}' => break,
                _ => return Err(self.bad("after object key:value pair")),
            }
        }
        self.at += 1;
        Ok(())
    }

    fn array(&mut self) -> Result<(), String> {
        if self.peek()? == b']' {
            self.at += 1;
            return Ok(());
        }
        loop {
            self.value()?;
            self.blanks();
            match self.peek()? {
                b',' => self.at += 1,
                b']' => break,
                _ => return Err(self.bad("after array element")),
            }
        }
        self.at += 1;
        Ok(())
    }

    fn string(&mut self) -> Result<(), String> {
        self.at += 1;
        loop {
            match self.peek()? {
                b'"' => break,
                b'\\' => self.escape()?,
                0..0x20 => return Err(self.bad("in string literal")),
                _ => {}
            }
            self.at += 1;
        }
        self.at += 1;
        Ok(())
    }

    fn escape(&mut self) -> Result<(), String> {
        self.at += 1;
        match self.peek()? {
            b'b' | b'f' | b'n' | b'r' | b't' | b'\\' | b'/' | b'"' => Ok(()),
            b'u' => {
                for _ in 0..4 {
                    self.at += 1;
                    if !self.peek()?.is_ascii_hexdigit() {
                        return Err(self.bad("in \\u hexadecimal character escape"));
                    }
                }
                Ok(())
            }
            _ => Err(self.bad("in string escape code")),
        }
    }

    fn literal(&mut self, word: &str) -> Result<(), String> {
        for expected in word.bytes() {
            if self.peek()? != expected {
                return Err(self.bad(&format!("in literal {word} (expecting '{}')", char::from(expected))));
            }
            self.at += 1;
        }
        Ok(())
    }

    fn number(&mut self) -> Result<(), String> {
        if self.peek()? == b'-' {
            self.at += 1;
            if !self.peek()?.is_ascii_digit() {
                return Err(self.bad("in numeric literal"));
            }
        }
        if self.peek()? == b'0' {
            self.at += 1;
        } else {
            self.digits();
        }
        if self.text.get(self.at) == Some(&b'.') {
            self.at += 1;
            if !self.peek()?.is_ascii_digit() {
                return Err(self.bad("after decimal point in numeric literal"));
            }
            self.digits();
        }
        if matches!(self.text.get(self.at), Some(b'e' | b'E')) {
            self.at += 1;
            if matches!(self.peek()?, b'+' | b'-') {
                self.at += 1;
            }
            if !self.peek()?.is_ascii_digit() {
                return Err(self.bad("in exponent of numeric literal"));
            }
            self.digits();
        }
        Ok(())
    }

    fn digits(&mut self) {
        while self.text.get(self.at).is_some_and(u8::is_ascii_digit) {
            self.at += 1;
        }
    }
}
