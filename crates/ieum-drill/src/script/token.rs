//! The words of the language, each with where it stands.

use std::fmt;
use std::net::{Ipv4Addr, Ipv6Addr};

/// Where something stands in a script; both numbers begin at 1.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Place {
    /// The line.
    pub line: u32,
    /// The column, in characters.
    pub column: u32,
}

/// One word.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Token {
    /// A name, keyword or hexadecimal blob.
    Word(String),
    /// A decimal number; perhaps negative.
    Integer(i64),
    /// A number written `0x…`.
    Hex(i64),
    /// A number with a point, as it is written: its digits are exact, a binary fraction would not be.
    Decimal(String),
    /// `"…"`, escapes not yet resolved.
    Text(String),
    /// A shell command between backticks.
    Command(String),
    /// What stands between `%{` and `}%`.
    Code(String),
    /// An IPv4 address.
    Ip4(Ipv4Addr),
    /// An IPv6 address.
    Ip6(Ipv6Addr),
    /// `...`.
    Ellipsis,
    /// `--name` or `--name=value`.
    Option {
        /// What follows the dashes.
        name: String,
        /// What follows the equals sign, quotes kept.
        value: Option<String>,
    },
    /// Any other character.
    Symbol(char),
    /// Nothing follows.
    End,
}

/// A word and where it begins.
#[derive(Clone, Debug)]
pub(crate) struct Placed {
    pub(crate) token: Token,
    pub(crate) place: Place,
    /// The line on which it ends: commands and code may have many.
    pub(crate) last_line: u32,
    /// As it is written: a blob of digits may begin with zeros.
    pub(crate) text: String,
}

impl fmt::Display for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Token::Word(word) => write!(f, "'{word}'"),
            Token::Integer(number) => write!(f, "'{number}'"),
            Token::Hex(number) => write!(f, "'{number:#x}'"),
            Token::Decimal(digits) => write!(f, "'{digits}'"),
            Token::Text(text) => write!(f, "\"{text}\""),
            Token::Command(_) => f.write_str("a command in backticks"),
            Token::Code(_) => f.write_str("code in %{ }%"),
            Token::Ip4(address) => write!(f, "'{address}'"),
            Token::Ip6(address) => write!(f, "'{address}'"),
            Token::Ellipsis => f.write_str("'...'"),
            Token::Option { name, .. } => write!(f, "'--{name}'"),
            Token::Symbol(symbol) => write!(f, "'{symbol}'"),
            Token::End => f.write_str("the end of the script"),
        }
    }
}
