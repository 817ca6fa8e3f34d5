//! Options, commands, times and events; and the cursor over words that all of the grammar uses.

use std::collections::BTreeMap;

use super::lexer;
use super::token::{Place, Placed, Token};
use super::{Action, BodySpec, Direction, Event, ParseError, Problem, Script, ScriptOption, Time};
use crate::symbols;

/// Reads a whole script.
pub(super) fn script(text: &str, defines: &BTreeMap<String, String>) -> Result<Script, Problem> {
    let mut cursor = Cursor { words: lexer::words(text)?, at: 0 };
    let options = options(&mut cursor);
    let mut defines = defines.clone();
    let version = options.iter().rfind(|option| option.name == "ip_version");
    for (name, value) in symbols::conventions(version.and_then(|option| option.value.as_deref())) {
        defines.entry(name.to_owned()).or_insert_with(|| value.to_owned());
    }
    for option in options.iter().filter(|option| option.name == "define") {
        let value = option.value.as_deref().unwrap_or("");
        let Some((name, value)) = value.split_once('=') else {
            return Err(ParseError::saying(option.place, "--define wants NAME=VALUE"));
        };
        defines.insert(name.to_owned(), value.to_owned());
    }
    cursor.replace(&defines);
    let init = cursor.command();
    let (mut events, mut cleanup) = (Vec::new(), None);
    loop {
        match &cursor.peek().token {
            Token::End if events.is_empty() => return Err(cursor.expected("an event")),
            Token::End => break,
            Token::Command(_) if !events.is_empty() => {
                cleanup = cursor.command();
                if cursor.peek().token != Token::End {
                    return Err(cursor.expected("the end of the script after the last command"));
                }
            }
            _ => events.push(event(&mut cursor)?),
        }
    }
    Ok(Script { options, init, events, cleanup })
}

fn options(cursor: &mut Cursor) -> Vec<ScriptOption> {
    let mut options = Vec::new();
    while let Token::Option { name, value } = &cursor.peek().token {
        // The quotes of a definition say what it is; others only hold a value together.
        let value = value.as_deref().map(|value| match value.strip_prefix('"') {
            Some(rest) if name != "define" => rest.strip_suffix('"').unwrap_or(value),
            Some(_) | None => value,
        });
        let value = value.map(str::to_owned);
        options.push(ScriptOption { name: name.clone(), value, place: cursor.peek().place });
        cursor.advance();
    }
    options
}

fn event(cursor: &mut Cursor) -> Result<Event, Problem> {
    let place = cursor.peek().place;
    let time = time(cursor)?;
    let line = cursor.last_line();
    let action = match &cursor.peek().token {
        Token::Symbol('<' | '>') => Action::Packet(super::packet::packet(cursor)?),
        Token::Command(command) => {
            let action = Action::Command(command.clone());
            cursor.advance();
            action
        }
        Token::Code(code) => {
            let action = Action::Code(code.clone());
            cursor.advance();
            action
        }
        Token::Word(_) | Token::Ellipsis => Action::Call(super::call::call(cursor)?),
        _ => return Err(cursor.expected("a packet, a system call, a command or code")),
    };
    let outbound = matches!(&action, Action::Packet(packet) if packet.direction == Direction::Out);
    match time {
        Time::Any if !outbound => {
            Err(ParseError::saying(place, "event time <star> can only be used with outbound packets"))
        }
        Time::AbsoluteRange(from, to) | Time::RelativeRange(from, to) if from > to => {
            Err(ParseError::saying(place, "time range is backwards"))
        }
        Time::AbsoluteRange(..) | Time::RelativeRange(..) if !outbound => {
            Err(ParseError::saying(place, "event time range can only be used with outbound packets"))
        }
        Time::Any
        | Time::Absolute(_)
        | Time::Relative(_)
        | Time::AbsoluteRange(..)
        | Time::RelativeRange(..) => check(&action, place).map(|()| Event { line, time, action }),
    }
}

/// What only makes sense in one direction.
fn check(action: &Action, place: Place) -> Result<(), Problem> {
    let Action::Packet(packet) = action else { return Ok(()) };
    if packet.direction == Direction::Out {
        return Ok(());
    }
    if packet.ip.tos == Some(super::Tos::Ect01) {
        return Err(ParseError::saying(place, "[ect01] can only be used with outbound packets"));
    }
    let BodySpec::Tcp(tcp) = &packet.body else { return Ok(()) };
    if tcp.options.is_none() {
        let sentence = "<...> for TCP options can only be used with outbound packets";
        return Err(ParseError::saying(place, sentence));
    }
    if tcp.window.is_none() {
        return Err(ParseError::saying(place, "window must be specified for inbound packets"));
    }
    Ok(())
}

fn time(cursor: &mut Cursor) -> Result<Time, Problem> {
    if cursor.eat('*') {
        return Ok(Time::Any);
    }
    let relative = cursor.eat('+');
    let from = microseconds(cursor)?;
    if !cursor.eat('~') {
        return Ok(if relative { Time::Relative(from) } else { Time::Absolute(from) });
    }
    if relative {
        cursor.expect('+')?;
    }
    let to = microseconds(cursor)?;
    Ok(if relative { Time::RelativeRange(from, to) } else { Time::AbsoluteRange(from, to) })
}

/// A time in seconds, in microseconds: what is finer than those is cut off.
pub(super) fn microseconds(cursor: &mut Cursor) -> Result<i64, Problem> {
    const EXPECTED: &str = "a time in seconds";
    let (seconds, fraction) = match &cursor.peek().token {
        Token::Integer(seconds) => (seconds.to_string(), String::new()),
        Token::Decimal(digits) => {
            let (seconds, fraction) = digits.split_once('.').unwrap_or((digits, ""));
            (if seconds.is_empty() { "0" } else { seconds }.to_owned(), fraction.to_owned())
        }
        _ => return Err(cursor.expected(EXPECTED)),
    };
    if seconds.starts_with('-') {
        return Err(cursor.expected("a time that is not negative"));
    }
    let fraction: String = fraction.chars().chain("000000".chars()).take(6).collect();
    let whole = format!("{seconds}{fraction}").parse().map_err(|_| cursor.expected(EXPECTED))?;
    cursor.advance();
    Ok(whole)
}

/// Where reading stands.
pub(super) struct Cursor {
    words: Vec<Placed>,
    at: usize,
}

impl Cursor {
    pub(super) fn peek(&self) -> &Placed {
        // The last word is the end, and nobody goes beyond it.
        &self.words[self.at.min(self.words.len() - 1)]
    }

    /// The word after the next one.
    pub(super) fn second(&self) -> &Token {
        &self.words[(self.at + 1).min(self.words.len() - 1)].token
    }

    pub(super) fn advance(&mut self) {
        self.at += 1;
    }

    /// The line on which the word ends that was taken last.
    fn last_line(&self) -> u32 {
        self.words.get(self.at.wrapping_sub(1)).map_or(1, |word| word.last_line)
    }

    /// An error: this was expected where reading stands.
    pub(super) fn expected(&self, expected: &str) -> Problem {
        ParseError::at(self.peek().place, expected, &self.peek().token.to_string())
    }

    pub(super) fn is(&self, symbol: char) -> bool {
        self.peek().token == Token::Symbol(symbol)
    }

    pub(super) fn eat(&mut self, symbol: char) -> bool {
        let is = self.is(symbol);
        self.at += usize::from(is);
        is
    }

    pub(super) fn expect(&mut self, symbol: char) -> Result<(), Problem> {
        if self.eat(symbol) { Ok(()) } else { Err(self.expected(&format!("'{symbol}'"))) }
    }

    pub(super) fn is_word(&self, word: &str) -> bool {
        matches!(&self.peek().token, Token::Word(found) if found == word)
    }

    pub(super) fn eat_word(&mut self, word: &str) -> bool {
        let is = self.is_word(word);
        self.at += usize::from(is);
        is
    }

    pub(super) fn word(&mut self, expected: &str) -> Result<String, Problem> {
        let Token::Word(word) = &self.peek().token else { return Err(self.expected(expected)) };
        let word = word.clone();
        self.advance();
        Ok(word)
    }

    /// A number that fits its field.
    pub(super) fn number<T: TryFrom<i64>>(&mut self, expected: &str) -> Result<T, Problem> {
        let (Token::Integer(number) | Token::Hex(number)) = self.peek().token else {
            return Err(match &self.peek().token {
                // In the place of a number a name is one that somebody forgot to define.
                Token::Word(name) => self.expected(&format!("{expected} (or -D {name}=…)")),
                _ => self.expected(expected),
            });
        };
        let number = T::try_from(number).map_err(|_| {
            ParseError::saying(self.peek().place, format!("{expected} is out of range: {number}"))
        })?;
        self.advance();
        Ok(number)
    }

    fn command(&mut self) -> Option<String> {
        let Token::Command(command) = &self.peek().token else { return None };
        let command = command.clone();
        self.advance();
        Some(command)
    }

    /// Puts what defined names mean in their place, from here on.
    fn replace(&mut self, defines: &BTreeMap<String, String>) {
        for word in self.words.iter_mut().skip(self.at) {
            let Token::Word(name) = &word.token else { continue };
            if let Some(value) = defines.get(name) {
                word.token = meaning(value);
                word.text.clone_from(value);
            }
        }
    }
}

/// A definition's value: a string, a command, a number or another name.
fn meaning(value: &str) -> Token {
    let within = |quote| value.strip_prefix(quote).and_then(|rest: &str| rest.strip_suffix(quote));
    if let Some(text) = within('"') {
        return Token::Text(text.to_owned());
    }
    if let Some(command) = within('`') {
        return Token::Command(command.to_owned());
    }
    let hex = value.strip_prefix("0x").and_then(|hex| i64::from_str_radix(hex, 16).ok());
    match hex.or_else(|| value.parse().ok()) {
        Some(number) => Token::Integer(number),
        None => Token::Word(value.to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::super::PacketSpec;
    use super::*;
    use crate::packet::TcpOption;

    fn parse(text: &str) -> Result<Script, ParseError> {
        Script::parse(text, &BTreeMap::new())
    }

    fn times(text: &str) -> Vec<Time> {
        parse(text).unwrap().events.into_iter().map(|event| event.time).collect()
    }

    #[test]
    fn every_form_of_time_is_read() {
        let text = "0 `a`\n+.1 `b`\n1.25 `c`\n* > . 1:1(0) ack 1\n0.1~.2 > . 1:1(0)\n+0~+1 > . 1:1(0)";
        assert_eq!(
            times(text),
            [
                Time::Absolute(0),
                Time::Relative(100_000),
                Time::Absolute(1_250_000),
                Time::Any,
                Time::AbsoluteRange(100_000, 200_000),
                Time::RelativeRange(0, 1_000_000),
            ]
        );
    }

    #[test]
    fn commands_before_and_after_have_no_time() {
        let script = parse("--mss=1000\n`prepare`\n0 `act`\n`clean`").unwrap();
        assert_eq!((script.init.as_deref(), script.cleanup.as_deref()), (Some("prepare"), Some("clean")));
        assert_eq!((script.options.len(), script.events.len()), (1, 1));
    }

    #[test]
    fn an_error_says_where_and_what_was_expected() {
        let cases = [
            ("0 `a`\n+x `b`", 2, 2, "expected a time in seconds, found 'x'"),
            ("0 `a`\n* `b`", 2, 1, "event time <star> can only be used with outbound packets"),
            ("0.2~0.1 > . 1:1(0)", 1, 1, "time range is backwards"),
            ("0 < . 1:1(0) ack 1", 1, 1, "window must be specified for inbound packets"),
            (
                "0 < . 1:1(0) ack 1 win 1 <...>",
                1,
                1,
                "<...> for TCP options can only be used with outbound packets",
            ),
            ("0 < [ect01] . 1:1(0) ack 1 win 1", 1, 1, "[ect01] can only be used with outbound packets"),
            ("", 1, 1, "expected an event, found the end of the script"),
            ("0 `a`\n`b`\n0 `c`", 3, 1, "expected the end of the script after the last command, found '0'"),
        ];
        for (text, line, column, sentence) in cases {
            let error = parse(text).unwrap_err();
            assert_eq!((error.place, error.sentence.as_str()), (Place { line, column }, sentence), "{text}");
        }
    }

    #[test]
    fn names_of_the_originals_runner_mean_something_by_themselves() {
        let cookie = |text: &str, defines: &[(&str, &str)]| {
            let defines = defines.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
            let text = format!("{text}\n0 > S 0:0(0) <FO TFO_COOKIE,nop,nop>");
            match Script::parse(&text, &defines.collect()).unwrap().events.remove(0).action {
                Action::Packet(PacketSpec { body: BodySpec::Tcp(tcp), .. }) => tcp.options.unwrap().remove(0),
                other => panic!("{other:?}"),
            }
        };
        assert_eq!(cookie("", &[]), TcpOption::FastOpen(0x3021_b9d8_8901_7eeb_u64.to_be_bytes().to_vec()));
        let other = TcpOption::FastOpen(0xc1d1_e974_2a47_a9bc_u64.to_be_bytes().to_vec());
        assert_eq!(cookie("--ip_version=\"ipv6\"", &[]), other);
        let own = [("TFO_COOKIE", "0123456789abcdef")];
        let own_cookie = TcpOption::FastOpen(0x0123_4567_89ab_cdef_u64.to_be_bytes().to_vec());
        assert_eq!(cookie("", &own), own_cookie);
    }

    #[test]
    fn defined_names_are_replaced_by_what_they_mean() {
        let mut defines = BTreeMap::new();
        defines.insert("DO".to_owned(), "`true`".to_owned());
        let script = Script::parse("--define=N=7\n0 DO\n+0 listen(N, N) = 0", &defines).unwrap();
        assert!(matches!(&script.events[0].action, Action::Command(command) if command == "true"));
        let Action::Call(call) = &script.events[1].action else { panic!("a call") };
        assert_eq!(call.arguments, [super::super::Expr::Integer(7), super::super::Expr::Integer(7)]);
    }
}
