//! A script's text cut into words.
//!
//! At each place the longest word wins, as in packetdrill's own lexer: `P.` is a name and a point, `.5` a decimal,
//! `...0.3` an ellipsis and a decimal, `1:1001` two numbers but `fd3d::1` an address. White space and comments of C
//! and C++ separate words and mean nothing.

use std::net::{Ipv4Addr, Ipv6Addr};

use super::token::{Place, Placed, Token};
use super::{ParseError, Problem};

/// Cuts a whole script into words; the last one is [`Token::End`].
pub(crate) fn words(text: &str) -> Result<Vec<Placed>, Problem> {
    let mut lexer = Lexer { rest: text, place: Place { line: 1, column: 1 } };
    let mut words = Vec::new();
    loop {
        lexer.skip_blanks()?;
        let place = lexer.place;
        let before = lexer.rest;
        let token = lexer.word()?;
        let done = token == Token::End;
        let text = before[..before.len() - lexer.rest.len()].to_owned();
        words.push(Placed { token, place, last_line: lexer.place.line, text });
        if done {
            return Ok(words);
        }
    }
}

struct Lexer<'a> {
    rest: &'a str,
    place: Place,
}

impl<'a> Lexer<'a> {
    /// Takes `bytes` bytes of the text, and counts lines and columns.
    fn take(&mut self, bytes: usize) -> &'a str {
        let (taken, rest) = self.rest.split_at(bytes);
        for character in taken.chars() {
            if character == '\n' {
                self.place = Place { line: self.place.line + 1, column: 1 };
            } else {
                self.place.column += 1;
            }
        }
        self.rest = rest;
        taken
    }

    fn skip_blanks(&mut self) -> Result<(), Problem> {
        loop {
            let blanks = self.rest.len() - self.rest.trim_start().len();
            self.take(blanks);
            if self.rest.starts_with("//") {
                self.take(self.rest.find('\n').unwrap_or(self.rest.len()));
            } else if self.rest.starts_with("/*") {
                self.delimited("/*", "*/", "a comment")?;
            } else if blanks == 0 {
                return Ok(());
            }
        }
    }

    fn word(&mut self) -> Result<Token, Problem> {
        let Some(first) = self.rest.chars().next() else { return Ok(Token::End) };
        if let Some(address) = self.ip6() {
            return Ok(Token::Ip6(address));
        }
        if self.rest.starts_with("--") && self.rest[2..].starts_with(is_word) {
            return self.option();
        }
        if self.rest.starts_with("%{") {
            let code = self.delimited("%{", "}%", "code")?;
            return Ok(Token::Code(code.trim_matches([' ', '\t']).to_owned()));
        }
        match first {
            '"' => Ok(Token::Text(self.quoted('"', "a string")?.to_owned())),
            '`' => Ok(Token::Command(self.quoted('`', "a command")?.to_owned())),
            '.' if self.rest.starts_with("...") => {
                self.take(3);
                Ok(Token::Ellipsis)
            }
            _ => self.number_or_name(first),
        }
    }

    fn number_or_name(&mut self, first: char) -> Result<Token, Problem> {
        let sign = usize::from(first == '-');
        let digits = run(&self.rest[sign..], |c| c.is_ascii_digit());
        let fraction = match self.rest[sign + digits..].strip_prefix('.') {
            Some(rest) => run(rest, |c| c.is_ascii_digit()),
            None => 0,
        };
        let name = run(self.rest, is_word);
        if let Some(address) = self.ip4() {
            return Ok(Token::Ip4(address));
        }
        if fraction > 0 && sign + digits + 1 + fraction >= name {
            return Ok(Token::Decimal(self.take(sign + digits + 1 + fraction).to_owned()));
        }
        if digits > 0 && sign + digits >= name {
            let place = self.place;
            let text = self.take(sign + digits);
            let number =
                text.parse().map_err(|_| ParseError::at(place, "a number of at most 64 bits", text))?;
            return Ok(Token::Integer(number));
        }
        if name == 0 {
            self.take(first.len_utf8());
            return Ok(Token::Symbol(first));
        }
        let place = self.place;
        let text = self.take(name);
        match text.strip_prefix("0x") {
            Some(hex) if !hex.is_empty() && hex.bytes().all(|c| c.is_ascii_hexdigit()) => {
                let number = i64::from_str_radix(hex, 16);
                Ok(Token::Hex(
                    number.map_err(|_| ParseError::at(place, "a number of at most 63 bits", text))?,
                ))
            }
            Some(_) | None => Ok(Token::Word(text.to_owned())),
        }
    }

    /// Four decimal numbers with points between them.
    fn ip4(&mut self) -> Option<Ipv4Addr> {
        let length = run(self.rest, |c| c.is_ascii_digit() || c == '.');
        let text = self.rest[..length].trim_end_matches('.');
        let address = text.parse().ok()?;
        self.take(text.len());
        Some(address)
    }

    /// The longest run that is an address with `::` in it, or of eight groups.
    fn ip6(&mut self) -> Option<Ipv6Addr> {
        let length = run(self.rest, |c| c.is_ascii_hexdigit() || c == ':' || c == '.');
        let candidate = &self.rest[..length];
        if !candidate.contains("::") && candidate.matches(':').count() < 7 {
            return None;
        }
        let (end, address) =
            (2..=length).rev().find_map(|end| Some((end, candidate[..end].parse::<Ipv6Addr>().ok()?)))?;
        self.take(end);
        Some(address)
    }

    /// `--name`, perhaps with `=value`: a value reaches to white space, unless quoted.
    fn option(&mut self) -> Result<Token, Problem> {
        self.take(2);
        let name = self.take(run(self.rest, is_word)).to_owned();
        let blanks = run(self.rest, |c| c == ' ' || c == '\t');
        if !self.rest[blanks..].starts_with('=') {
            return Ok(Token::Option { name, value: None });
        }
        self.take(blanks + 1);
        self.take(run(self.rest, |c| c == ' ' || c == '\t'));
        let mut value = String::new();
        loop {
            value.push_str(self.take(run(self.rest, |c| !c.is_whitespace() && c != '"' && c != '`')));
            match self.rest.chars().next() {
                Some(quote @ ('"' | '`')) => {
                    let text = self.quoted(quote, "a string")?;
                    value.push(quote);
                    value.push_str(text);
                    value.push(quote);
                }
                Some(_) | None => return Ok(Token::Option { name, value: Some(value) }),
            }
        }
    }

    /// What stands between two quotes; a backslash protects the next character.
    fn quoted(&mut self, quote: char, what: &str) -> Result<&'a str, Problem> {
        let place = self.place;
        let mut protected = true; // the opening quote itself
        for (at, character) in self.rest.char_indices() {
            if character == quote && !protected {
                let text = self.take(at + 1);
                return Ok(&text[1..at]);
            }
            protected = character == '\\' && !protected;
        }
        Err(ParseError::at(place, &format!("the end of {what} ({quote})"), "the end of the script"))
    }

    /// What stands between two marks.
    fn delimited(&mut self, open: &str, close: &str, what: &str) -> Result<&'a str, Problem> {
        let place = self.place;
        match self.rest[open.len()..].find(close) {
            Some(length) => {
                let text = self.take(open.len() + length + close.len());
                Ok(&text[open.len()..open.len() + length])
            }
            None => {
                Err(ParseError::at(place, &format!("the end of {what} ({close})"), "the end of the script"))
            }
        }
    }
}

/// Bytes of the longest beginning of `text` whose characters are all of a kind.
fn run(text: &str, is: impl Fn(char) -> bool) -> usize {
    text.find(|c| !is(c)).unwrap_or(text.len())
}

fn is_word(character: char) -> bool {
    character.is_ascii_alphanumeric() || character == '_'
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tokens(text: &str) -> Vec<Token> {
        let mut tokens: Vec<_> = words(text).unwrap().into_iter().map(|word| word.token).collect();
        assert_eq!(tokens.pop(), Some(Token::End));
        tokens
    }

    fn word(text: &str) -> Token {
        Token::Word(text.to_owned())
    }

    fn decimal(text: &str) -> Token {
        Token::Decimal(text.to_owned())
    }

    #[test]
    fn sequence_numbers_are_no_addresses() {
        use Token::{Integer, Symbol};
        let expected =
            [Integer(1), Symbol(':'), Integer(1001), Symbol('('), Integer(1000), Symbol(')')].to_vec();
        assert_eq!(tokens("1:1001(1000)"), expected);
        assert_eq!(tokens("fd3d::1"), [Token::Ip6("fd3d::1".parse().unwrap())]);
        assert_eq!(tokens("2001:db8::2:"), [Token::Ip6("2001:db8::2".parse().unwrap()), Symbol(':')]);
        assert_eq!(tokens("::ffff:10.0.0.1"), [Token::Ip6("::ffff:10.0.0.1".parse().unwrap())]);
        assert_eq!(tokens("192.0.2.1 1.5"), [Token::Ip4("192.0.2.1".parse().unwrap()), decimal("1.5")]);
    }

    #[test]
    fn points_go_to_whom_they_belong() {
        let dot = Token::Symbol('.');
        assert_eq!(tokens("P. 1"), [word("P"), dot.clone(), Token::Integer(1)]);
        assert_eq!(tokens("P.5"), [word("P"), decimal(".5")]);
        assert_eq!(tokens("0...0.3"), [Token::Integer(0), Token::Ellipsis, decimal("0.3")]);
        assert_eq!(tokens("+.1 ."), [Token::Symbol('+'), decimal(".1"), dot]);
        assert_eq!(
            tokens("-1 - 0x1f 12ab"),
            [Token::Integer(-1), Token::Symbol('-'), Token::Hex(31), word("12ab")]
        );
    }

    #[test]
    fn comments_and_quotes_have_ends() {
        assert_eq!(
            tokens("a // b `\n/* c\n */ `d \\` e`"),
            [word("a"), Token::Command("d \\` e".to_owned())]
        );
        assert_eq!(tokens("%{ x = {1}\n}%"), [Token::Code("x = {1}\n".to_owned())]);
        let error = words("ok\n  \"open").unwrap_err();
        assert_eq!((error.place.line, error.place.column), (2, 3));
        assert!(error.sentence.contains("the end of a string"), "{}", error.sentence);
    }

    #[test]
    fn options_take_what_follows_the_equals_sign() {
        let option = |name: &str, value: Option<&str>| Token::Option {
            name: name.to_owned(),
            value: value.map(str::to_owned),
        };
        assert_eq!(
            tokens("--ip_version=ipv4-mapped-ipv6 --strict_segments\n--define=CC=\"reno b\""),
            [
                option("ip_version", Some("ipv4-mapped-ipv6")),
                option("strict_segments", None),
                option("define", Some("CC=\"reno b\"")),
            ]
        );
    }
}
