//! Takes SQL apart: words, parentheses, semicolons, and everything else in one piece: strings of all kinds, quoted names. Comments
//! are no tokens.

/// As much of the text as the words need to be told apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Token<'a> {
    /// A keyword or an unquoted name.
    Word(&'a str),
    /// A string, a quoted name, a number, an operator.
    Other,
    Open,
    Close,
    Semicolon,
}

impl Token<'_> {
    pub(super) fn is(&self, word: &str) -> bool {
        matches!(self, Token::Word(text) if text.eq_ignore_ascii_case(word))
    }
}

pub(super) struct Lexer<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Lexer<'a> {
    pub(super) fn new(text: &'a str) -> Self {
        Self { text, at: 0 }
    }

    /// The next token, and where it begins.
    pub(super) fn next(&mut self) -> Option<(Token<'a>, usize)> {
        self.skip_blanks();
        let start = self.at;
        let bytes = self.text.as_bytes();
        let first = *bytes.get(start)?;
        let token = match first {
            b'\'' => self.string(false),
            b'"' => self.until_quote(b'"'),
            b'$' => self.dollar(),
            b'(' => self.single(Token::Open),
            b')' => self.single(Token::Close),
            b';' => self.single(Token::Semicolon),
            _ if is_name_start(first) => self.word(),
            _ => self.single(Token::Other),
        };
        Some((token, start))
    }

    fn single(&mut self, token: Token<'a>) -> Token<'a> {
        self.at += 1;
        token
    }

    fn rest(&self) -> &'a [u8] {
        &self.text.as_bytes()[self.at.min(self.text.len())..]
    }

    fn skip_blanks(&mut self) {
        loop {
            let rest = self.rest();
            if rest.first().is_some_and(u8::is_ascii_whitespace) {
                self.at += 1;
            } else if rest.starts_with(b"--") {
                self.at += rest.iter().position(|byte| *byte == b'\n').unwrap_or(rest.len());
            } else if rest.starts_with(b"/*") {
                self.at += comment_length(rest);
            } else {
                return;
            }
        }
    }

    fn word(&mut self) -> Token<'a> {
        let rest = self.rest();
        let length = rest.iter().position(|byte| !is_name_part(*byte)).unwrap_or(rest.len());
        let word = &self.text[self.at..self.at + length];
        self.at += length;
        if self.rest().first() == Some(&b'\'') && word.eq_ignore_ascii_case("e") {
            return self.string(true);
        }
        Token::Word(word)
    }

    fn string(&mut self, escapes: bool) -> Token<'a> {
        if !escapes {
            return self.until_quote(b'\'');
        }
        self.at += 1;
        while let Some(byte) = self.rest().first() {
            self.at += if *byte == b'\\' { 2 } else { 1 };
            if *byte == b'\'' {
                match self.continuation() {
                    Some(length) => self.at += length,
                    None => break,
                }
            }
        }
        Token::Other
    }

    /// How far it is into the string that goes on behind a quote: one doubled, or one more on a line further down.
    fn continuation(&self) -> Option<usize> {
        let rest = self.rest();
        let blanks = rest.iter().take_while(|byte| byte.is_ascii_whitespace()).count();
        let goes_on = rest.get(blanks) == Some(&b'\'') && (blanks == 0 || rest[..blanks].contains(&b'\n'));
        goes_on.then_some(blanks + 1)
    }

    /// A doubled quote is the end of one string and the beginning of the next: all the same.
    fn until_quote(&mut self, quote: u8) -> Token<'a> {
        let inside = &self.rest()[1..];
        let length = inside.iter().position(|byte| *byte == quote).map_or(inside.len(), |end| end + 1);
        self.at += 1 + length;
        Token::Other
    }

    /// `$tag$ ... $tag$`, or a parameter.
    fn dollar(&mut self) -> Token<'a> {
        let rest = self.rest();
        let name = rest[1..].iter().position(|byte| !is_name_part(*byte) || *byte == b'$').unwrap_or(rest.len() - 1);
        let is_tag = rest.get(1 + name) == Some(&b'$') && !rest[1].is_ascii_digit();
        if !is_tag {
            return self.single(Token::Other);
        }
        let tag = &self.text[self.at..self.at + name + 2];
        let body = &self.text[self.at + tag.len()..];
        self.at += tag.len() + body.find(tag).map_or(body.len(), |end| end + tag.len());
        Token::Other
    }
}

fn is_name_start(byte: u8) -> bool {
    byte.is_ascii_alphabetic() || byte == b'_' || byte >= 0x80
}

fn is_name_part(byte: u8) -> bool {
    is_name_start(byte) || byte.is_ascii_digit() || byte == b'$'
}

/// Comments nest.
fn comment_length(text: &[u8]) -> usize {
    let (mut depth, mut at) = (0, 0);
    while at < text.len() {
        if text[at..].starts_with(b"/*") {
            depth += 1;
            at += 2;
        } else if text[at..].starts_with(b"*/") {
            depth -= 1;
            at += 2;
            if depth == 0 {
                return at;
            }
        } else {
            at += 1;
        }
    }
    text.len()
}
