//! System calls with the results they must have: `accept(3, ..., ...) = 4`, `read(4, ..., 10) = -1 EAGAIN (…)`.

use super::parser::{Cursor, microseconds};
use super::token::Token;
use super::{ParseError, Problem};

/// A system call.
#[derive(Clone, Debug)]
pub(crate) struct Call {
    /// When a call that blocks ends, in microseconds on the event's own scale.
    pub(crate) end: Option<i64>,
    pub(crate) name: String,
    pub(crate) arguments: Vec<Expr>,
    pub(crate) result: Expr,
    /// The name of the error number it must have.
    pub(crate) errno: Option<String>,
}

/// An argument or a result as it is written.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Expr {
    /// `...`: whatever the runner takes.
    Ellipsis,
    Integer(i64),
    /// A constant's name.
    Word(String),
    /// Its bytes, escapes resolved.
    Text(Vec<u8>),
    /// `a | b`.
    Or(Box<Expr>, Box<Expr>),
    /// `[a, b]`.
    List(Vec<Expr>),
    /// `{a, b}`, `{name=a, name=b}`.
    Struct(Vec<Field>),
    /// `htons(1)`, `inet_addr("1.2.3.4")`.
    Function(String, Vec<Expr>),
    /// A form of something that is not served here, by name.
    Foreign(&'static str),
}

/// One element of a structure.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Field {
    /// What stands before the equals sign.
    pub(crate) name: Option<String>,
    pub(crate) value: Expr,
}

/// Reads a call from its name, or from the `...` of its end, on.
pub(super) fn call(cursor: &mut Cursor) -> Result<Call, Problem> {
    let mut end = None;
    if cursor.peek().token == Token::Ellipsis {
        cursor.advance();
        end = Some(microseconds(cursor)?);
    }
    let name = cursor.word("the name of a system call")?;
    cursor.expect('(')?;
    let arguments = expressions(cursor, ')')?;
    cursor.expect('=')?;
    let result = expression(cursor)?;
    let errno = match &cursor.peek().token {
        Token::Word(_) => Some(cursor.word("an error")?),
        _ => None,
    };
    if cursor.eat('(') {
        // What strace says of it; for readers.
        while !cursor.eat(')') {
            if cursor.peek().token == Token::End {
                return Err(cursor.expected("')' after a note"));
            }
            cursor.advance();
        }
    }
    Ok(Call { end, name, arguments, result, errno })
}

/// Expressions with commas between them, and the bracket that closes them.
fn expressions(cursor: &mut Cursor, close: char) -> Result<Vec<Expr>, Problem> {
    let mut list = Vec::new();
    if cursor.eat(close) {
        return Ok(list);
    }
    loop {
        list.push(expression(cursor)?);
        if !cursor.eat(',') {
            cursor.expect(close)?;
            return Ok(list);
        }
    }
}

fn expression(cursor: &mut Cursor) -> Result<Expr, Problem> {
    let first = operand(cursor)?;
    if cursor.eat('|') {
        return Ok(Expr::Or(Box::new(first), Box::new(expression(cursor)?)));
    }
    if let Expr::Word(name) = &first
        && cursor.eat('=')
    {
        let field = Field { name: Some(name.clone()), value: expression(cursor)? };
        return Ok(Expr::Struct(vec![field]));
    }
    Ok(first)
}

fn operand(cursor: &mut Cursor) -> Result<Expr, Problem> {
    let token = cursor.peek().token.clone();
    match token {
        Token::Ellipsis => {
            cursor.advance();
            Ok(Expr::Ellipsis)
        }
        Token::Integer(number) | Token::Hex(number) => {
            cursor.advance();
            Ok(Expr::Integer(number))
        }
        Token::Text(_) => text(cursor),
        Token::Word(word) => {
            cursor.advance();
            if cursor.eat('(') {
                Ok(Expr::Function(word, expressions(cursor, ')')?))
            } else {
                Ok(Expr::Word(word))
            }
        }
        Token::Symbol('[') => {
            cursor.advance();
            Ok(Expr::List(expressions(cursor, ']')?))
        }
        Token::Symbol('{') => {
            cursor.advance();
            structure(cursor)
        }
        _ => Err(cursor.expected("an argument: a number, a name, a string, '...', '[' or '{'")),
    }
}

/// Strings that follow each other are one; an ellipsis after them says that more may follow.
fn text(cursor: &mut Cursor) -> Result<Expr, Problem> {
    let mut bytes = Vec::new();
    while let Token::Text(text) = &cursor.peek().token {
        bytes.extend(unescaped(text).map_err(|sentence| ParseError::saying(cursor.peek().place, sentence))?);
        cursor.advance();
    }
    if cursor.peek().token == Token::Ellipsis {
        cursor.advance();
    }
    Ok(Expr::Text(bytes))
}

fn unescaped(text: &str) -> Result<Vec<u8>, String> {
    let mut bytes = Vec::new();
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        if byte != b'\\' {
            bytes.push(byte);
            continue;
        }
        bytes.push(match rest.next() {
            Some(b'f') => 0x0c,
            Some(b'n') => b'\n',
            Some(b'r') => b'\r',
            Some(b't') => b'\t',
            Some(b'v') => 0x0b,
            Some(escaped @ (b'\\' | b'"')) => escaped,
            Some(b'x') => {
                let mut digit = || char::from(rest.next()?).to_digit(16);
                let byte = digit().zip(digit()).and_then(|(high, low)| u8::try_from(high << 4 | low).ok());
                byte.ok_or_else(|| "invalid hex escape (\\xhh)".to_owned())?
            }
            Some(other) => return Err(format!("unsupported escape code: '\\{}'", char::from(other))),
            None => return Err("a string ends in its own escape".to_owned()),
        });
    }
    Ok(bytes)
}

/// What stands in braces: elements, or fields with names. `msg_iov(2)=[…]` has a count that the list has as well.
fn structure(cursor: &mut Cursor) -> Result<Expr, Problem> {
    if cursor.is('(') {
        return foreign(cursor, "MPLS label stacks");
    }
    if cursor.is_word("flags") {
        return foreign(cursor, "GRE headers");
    }
    let mut fields = Vec::new();
    loop {
        match operand(cursor)? {
            Expr::Word(name) | Expr::Function(name, _) if cursor.eat('=') => {
                fields.push(Field { name: Some(name), value: expression(cursor)? });
            }
            mut value => {
                if cursor.eat('|') {
                    value = Expr::Or(Box::new(value), Box::new(expression(cursor)?));
                }
                fields.push(Field { name: None, value });
            }
        }
        if !cursor.eat(',') {
            cursor.expect('}')?;
            return Ok(Expr::Struct(fields));
        }
    }
}

fn foreign(cursor: &mut Cursor, what: &'static str) -> Result<Expr, Problem> {
    while !cursor.eat('}') {
        if cursor.peek().token == Token::End {
            return Err(cursor.expected("'}'"));
        }
        cursor.advance();
    }
    Ok(Expr::Foreign(what))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::super::{Action, Script};
    use super::*;

    fn call_of(text: &str) -> Call {
        let script = Script::parse(&format!("0{text}"), &BTreeMap::new()).unwrap();
        match script.events.into_iter().next().unwrap().action {
            Action::Call(call) => call,
            other => panic!("{other:?}"),
        }
    }

    fn word(name: &str) -> Expr {
        Expr::Word(name.to_owned())
    }

    #[test]
    fn a_call_has_arguments_a_result_and_perhaps_an_error() {
        let call = call_of(" read(4, ..., 0x10) = -1 EAGAIN (Resource temporarily unavailable)");
        assert_eq!((call.name.as_str(), call.errno.as_deref()), ("read", Some("EAGAIN")));
        assert_eq!(call.arguments, [Expr::Integer(4), Expr::Ellipsis, Expr::Integer(16)]);
        assert_eq!((call.result, call.end), (Expr::Integer(-1), None));
        assert_eq!(call_of("...0.3 accept(3, ..., ...) = 4").end, Some(300_000));
        assert_eq!(call_of(" fcntl(4, F_GETFL) = 0x2 (flags O_RDWR)").errno, None);
    }

    #[test]
    fn flags_are_joined_and_strings_too() {
        let call = call_of(r#" open("a" "\x62\n", O_RDWR|O_NONBLOCK) = 3"#);
        assert_eq!(
            call.arguments,
            [Expr::Text(b"ab\n".to_vec()), Expr::Or(Box::new(word("O_RDWR")), Box::new(word("O_NONBLOCK")))]
        );
    }

    #[test]
    fn structures_have_fields() {
        let call = call_of(
            " recvmsg(4, {msg_name(...)=..., msg_iov(1)=[{..., 1}], msg_flags=0, msg_control=[]}, 0) = 1",
        );
        let Expr::Struct(fields) = &call.arguments[1] else { panic!("a structure") };
        let names: Vec<_> = fields.iter().map(|field| field.name.as_deref().unwrap()).collect();
        assert_eq!(names, ["msg_name", "msg_iov", "msg_flags", "msg_control"]);
        let call = call_of(
            " bind(3, {sa_family = AF_INET, sin_port = htons(80), sin_addr = inet_addr(\"1.2.3.4\")}, ...) = 0",
        );
        assert!(matches!(&call.arguments[1], Expr::Struct(fields) if fields.len() == 3));
        let call = call_of(" poll([{fd=3, events=POLLIN|POLLERR, revents=0}], 1, -1) = 0");
        assert!(matches!(&call.arguments[0], Expr::List(list) if list.len() == 1));
        assert!(matches!(
            call_of(" f({TCP_NLA_BUSY=0, TCP_NLA_SRTT=...}) = 0").arguments[0],
            Expr::Struct(_)
        ));
    }
}
