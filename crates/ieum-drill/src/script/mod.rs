//! What a script says: its words, its grammar, and the tree that comes out.
//!
//! A script is a list of options, perhaps a command that prepares, events with times, and perhaps a command that
//! cleans up. An event is a packet (in `<` or out `>`), a system call with the result it must have, a shell command or
//! a piece of code. The tree says what is written, not what it means: names of constants are still names, sequence
//! numbers still count from the script's own beginning.
//!
//! Files: `token` and `lexer` (words), `parser` (options, times, events), `packet` (TCP, UDP, ICMP), `option` (TCP
//! options), `call` (system calls and their expressions).

mod call;
mod lexer;
mod option;
mod packet;
mod parser;
mod token;

use std::collections::BTreeMap;

pub(crate) use call::{Call, Expr, Field};
pub use token::Place;

use crate::packet::TcpOption;

/// A whole script.
#[derive(Clone, Debug)]
pub struct Script {
    /// `--name=value`, in order.
    pub(crate) options: Vec<ScriptOption>,
    /// The command before the first event.
    pub(crate) init: Option<String>,
    /// What happens, in order; at least one.
    pub(crate) events: Vec<Event>,
    /// The command after the last event.
    pub(crate) cleanup: Option<String>,
}

impl Script {
    /// Reads a script. `defines` are names that mean something else, as of `-D NAME=VALUE`.
    ///
    /// # Errors
    ///
    /// What is wrong, and where.
    pub fn parse(text: &str, defines: &BTreeMap<String, String>) -> Result<Script, ParseError> {
        parser::script(text, defines).map_err(|problem| *problem)
    }
}

/// The names in a text, whether it is a script or not; none when it cannot even be cut into words.
pub(crate) fn words(text: &str) -> Vec<String> {
    let words = lexer::words(text).unwrap_or_default().into_iter();
    words
        .filter_map(|word| if let token::Token::Word(name) = word.token { Some(name) } else { None })
        .collect()
}

/// Why a text is no script.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ParseError {
    /// Where.
    pub place: Place,
    /// What was expected there, and what stands there.
    pub sentence: String,
}

/// An error that costs one word as long as there is none.
pub(crate) type Problem = Box<ParseError>;

impl ParseError {
    pub(crate) fn at(place: Place, expected: &str, found: &str) -> Problem {
        Box::new(ParseError { place, sentence: format!("expected {expected}, found {found}") })
    }

    pub(crate) fn saying(place: Place, sentence: impl Into<String>) -> Problem {
        Box::new(ParseError { place, sentence: sentence.into() })
    }
}

/// `--name=value`.
#[derive(Clone, Debug)]
pub(crate) struct ScriptOption {
    pub(crate) name: String,
    pub(crate) value: Option<String>,
    pub(crate) place: Place,
}

/// Something that happens, and when.
#[derive(Clone, Debug)]
pub(crate) struct Event {
    pub(crate) line: u32,
    pub(crate) time: Time,
    pub(crate) action: Action,
}

/// When, in microseconds.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Time {
    /// Since the script began.
    Absolute(i64),
    /// `+`: since what was before.
    Relative(i64),
    /// `*`: whenever.
    Any,
    /// `a~b`.
    AbsoluteRange(i64, i64),
    /// `+a~+b`.
    RelativeRange(i64, i64),
}

/// What happens.
#[derive(Clone, Debug)]
pub(crate) enum Action {
    Packet(PacketSpec),
    Call(Call),
    Command(String),
    Code(String),
}

/// Which way a packet goes, as the host sees it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Direction {
    /// `<`: given to the host.
    In,
    /// `>`: expected of it.
    Out,
}

/// A packet as a script writes it.
#[derive(Clone, Debug)]
pub(crate) struct PacketSpec {
    pub(crate) direction: Direction,
    /// What it is wrapped in, by name: nothing of it is served here.
    pub(crate) wrappers: Vec<&'static str>,
    pub(crate) ip: IpSpec,
    pub(crate) body: BodySpec,
}

/// What is said of the IP header.
#[derive(Clone, Copy, Default, Debug)]
pub(crate) struct IpSpec {
    pub(crate) tos: Option<Tos>,
    pub(crate) ttl: Option<u8>,
    pub(crate) flow_label: Option<u32>,
}

/// What is said of the type of service or traffic class.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Tos {
    /// The two bits of ECN.
    Ecn(u8),
    /// `ect01`: ECT(0) or ECT(1).
    Ect01,
    /// All eight bits.
    Whole(u8),
}

/// What a packet carries.
#[derive(Clone, Debug)]
pub(crate) enum BodySpec {
    Tcp(TcpSpec),
    Udp { ports: Option<Ports>, payload_bytes: u16 },
    Icmp(IcmpSpec),
}

/// Source and destination; 0 stands for the connection's own.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub(crate) struct Ports {
    pub(crate) source: u16,
    pub(crate) destination: u16,
}

/// A TCP segment as a script writes it.
#[derive(Clone, Debug)]
pub(crate) struct TcpSpec {
    pub(crate) ports: Option<Ports>,
    pub(crate) flags: u16,
    /// The three bits of ECN were given as one number (AccECN's ACE).
    pub(crate) ace: bool,
    pub(crate) seq: u32,
    pub(crate) payload_bytes: u16,
    pub(crate) ack: u32,
    /// `None`: any.
    pub(crate) window: Option<u16>,
    pub(crate) urgent: u16,
    /// `None`: any.
    pub(crate) options: Option<Vec<TcpOption>>,
}

/// An ICMP message as a script writes it; names are looked up when the family is known.
#[derive(Clone, Debug)]
pub(crate) struct IcmpSpec {
    pub(crate) kind: String,
    pub(crate) code: Option<String>,
    pub(crate) mtu: Option<u32>,
    pub(crate) id: u16,
    pub(crate) quoted: Quoted,
}

/// The packet an ICMP message quotes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Quoted {
    Tcp {
        seq: u32,
        payload_bytes: u16,
    },
    Udp {
        payload_bytes: u16,
    },
    /// Nothing: that many bytes of message in all.
    Raw {
        bytes: u16,
    },
}
