//! Packets: `< [ect0] P. 1:1001(1000) ack 1 win 257 <nop,nop,TS val 1 ecr 2>`, `> udp (100)`, `< icmp unreachable …`.

use super::parser::Cursor;
use super::token::Token;
use super::{
    BodySpec, Direction, IcmpSpec, IpSpec, PacketSpec, ParseError, Ports, Problem, Quoted, TcpSpec, Tos,
};
use crate::packet::flag;

/// Reads a packet from its direction on.
pub(super) fn packet(cursor: &mut Cursor) -> Result<PacketSpec, Problem> {
    let direction = if cursor.eat('<') { Direction::In } else { Direction::Out };
    if direction == Direction::Out {
        cursor.expect('>')?;
    }
    let mut wrappers = wrappers(cursor)?;
    let ip = ip(cursor)?;
    if cursor.eat_word("encap") {
        encapsulation(cursor)?;
        wrappers.push("PSP");
    }
    let body = if cursor.eat_word("udp") {
        udp(cursor)?
    } else if cursor.is_word("icmp") {
        icmp(cursor)?
    } else {
        BodySpec::Tcp(tcp(cursor)?)
    };
    Ok(PacketSpec { direction, wrappers, ip, body })
}

/// Outer headers: `ipv4 a > b:`, `gre …:`, `mpls (…):`.
fn wrappers(cursor: &mut Cursor) -> Result<Vec<&'static str>, Problem> {
    let mut wrappers = Vec::new();
    loop {
        if cursor.eat_word("ipv4") || cursor.eat_word("ipv6") {
            ip(cursor)?;
            address(cursor)?;
            cursor.expect('>')?;
            address(cursor)?;
            wrappers.push("IP in IP");
        } else if cursor.eat_word("gre") || cursor.eat_word("GREv0") {
            skip_to_colon(cursor)?;
            wrappers.push("GRE");
        } else if cursor.eat_word("mpls") {
            skip_to_colon(cursor)?;
            wrappers.push("MPLS");
        } else {
            return Ok(wrappers);
        }
        cursor.expect(':')?;
    }
}

fn address(cursor: &mut Cursor) -> Result<(), Problem> {
    let (Token::Ip4(_) | Token::Ip6(_)) = cursor.peek().token else {
        return Err(cursor.expected("an address"));
    };
    cursor.advance();
    Ok(())
}

fn skip_to_colon(cursor: &mut Cursor) -> Result<(), Problem> {
    while !cursor.is(':') {
        if cursor.peek().token == Token::End {
            return Err(cursor.expected("':' after an outer header"));
        }
        cursor.advance();
    }
    Ok(())
}

/// `encap psp spi N`.
fn encapsulation(cursor: &mut Cursor) -> Result<(), Problem> {
    for word in ["psp", "spi"] {
        if !cursor.eat_word(word) {
            return Err(cursor.expected(&format!("'{word}'")));
        }
    }
    cursor.number::<u32>("the SPI").map(drop)
}

/// `[ect0]`, `(tos 0x10)`, `[ttl 64]`, `[flowlabel 0x1]`, `[ce, flowlabel 0x1]`; or nothing.
fn ip(cursor: &mut Cursor) -> Result<IpSpec, Problem> {
    let close = match cursor.peek().token {
        Token::Symbol('[') => ']',
        Token::Symbol('(') => ')',
        _ => return Ok(IpSpec::default()),
    };
    cursor.advance();
    let mut spec = IpSpec::default();
    loop {
        const EXPECTED: &str = "noecn, ect0, ect1, ce, ect01, tos, ttl or flowlabel";
        match cursor.word(EXPECTED)?.as_str() {
            "noecn" => spec.tos = Some(Tos::Ecn(0)),
            "ect1" => spec.tos = Some(Tos::Ecn(1)),
            "ect0" => spec.tos = Some(Tos::Ecn(2)),
            "ce" => spec.tos = Some(Tos::Ecn(3)),
            "ect01" => spec.tos = Some(Tos::Ect01),
            "tos" => spec.tos = Some(Tos::Whole(cursor.number("the type of service")?)),
            "ttl" => spec.ttl = Some(cursor.number("the time to live")?).filter(|ttl| *ttl != 0),
            "flowlabel" => {
                spec.flow_label = Some(cursor.number("the flow label")?).filter(|label| *label != 0)
            }
            _ => {
                let place = cursor.peek().place;
                return Err(ParseError::saying(place, format!("expected {EXPECTED} before this")));
            }
        }
        if !cursor.eat(',') {
            cursor.expect(close)?;
            return Ok(spec);
        }
    }
}

fn ports(cursor: &mut Cursor) -> Result<Option<Ports>, Problem> {
    if *cursor.second() != Token::Symbol('>') {
        return Ok(None);
    }
    let source = cursor.number("the source port")?;
    cursor.expect('>')?;
    Ok(Some(Ports { source, destination: cursor.number("the destination port")? }))
}

fn udp(cursor: &mut Cursor) -> Result<BodySpec, Problem> {
    let ports = ports(cursor)?;
    cursor.expect('(')?;
    let payload_bytes = cursor.number("the size of the datagram")?;
    cursor.expect(')')?;
    Ok(BodySpec::Udp { ports, payload_bytes })
}

fn icmp(cursor: &mut Cursor) -> Result<BodySpec, Problem> {
    cursor.advance();
    let kind = cursor.word("an ICMP type")?;
    let code = match &cursor.peek().token {
        Token::Word(word) if !matches!(word.as_str(), "mtu" | "id") => Some(cursor.word("an ICMP code")?),
        _ => None,
    };
    let mtu = if cursor.eat_word("mtu") { Some(cursor.number("the MTU")?) } else { None };
    let id = if cursor.eat_word("id") { cursor.number("the identifier")? } else { 0 };
    let mut quoted = Quoted::Tcp { seq: 0, payload_bytes: 0 };
    if cursor.eat('[') {
        if cursor.eat_word("udp") {
            quoted = Quoted::Udp { payload_bytes: bracketed(cursor)? };
        } else if cursor.eat_word("raw") {
            quoted = Quoted::Raw { bytes: bracketed(cursor)? };
        } else {
            let (seq, payload_bytes) = sequence(cursor)?;
            quoted = Quoted::Tcp { seq, payload_bytes };
        }
        cursor.expect(']')?;
    }
    Ok(BodySpec::Icmp(IcmpSpec { kind, code, mtu, id, quoted }))
}

fn bracketed(cursor: &mut Cursor) -> Result<u16, Problem> {
    cursor.expect('(')?;
    let bytes = cursor.number("a number of bytes")?;
    cursor.expect(')')?;
    Ok(bytes)
}

fn tcp(cursor: &mut Cursor) -> Result<TcpSpec, Problem> {
    let ports = ports(cursor)?;
    let (flags, ace) = flags(cursor)?;
    let (seq, payload_bytes) = sequence(cursor)?;
    let ack = if cursor.eat_word("ack") { cursor.number("the acknowledgement number")? } else { 0 };
    let mut window = None;
    if cursor.eat_word("win") && !cursor.eat('*') {
        window = Some(cursor.number("the window")?);
    }
    let urgent = if cursor.eat_word("urg") { cursor.number("the urgent pointer")? } else { 0 };
    let options = super::option::list(cursor)?;
    Ok(TcpSpec { ports, flags, ace, seq, payload_bytes, ack, window, urgent, options })
}

/// `1:1001(1000)`.
fn sequence(cursor: &mut Cursor) -> Result<(u32, u16), Problem> {
    let place = cursor.peek().place;
    let start: u32 = cursor.number("the first sequence number")?;
    cursor.expect(':')?;
    let end: u32 = cursor.number("the last sequence number")?;
    cursor.expect('(')?;
    let bytes: u16 = cursor.number("the size of the payload")?;
    cursor.expect(')')?;
    if u64::from(start) + u64::from(bytes) != u64::from(end) {
        return Err(ParseError::saying(place, "inconsistent TCP sequence numbers and payload size"));
    }
    Ok((start, bytes))
}

/// `S`, `P.`, `.`, `-`, `SEWA`, `P.5`: the flags' bits, and whether the three of ECN came as a number.
fn flags(cursor: &mut Cursor) -> Result<(u16, bool), Problem> {
    let place = cursor.peek().place;
    if cursor.eat('-') {
        return Ok((0, false));
    }
    let mut text = String::new();
    if let Token::Word(word) = &cursor.peek().token {
        text.push_str(word);
        cursor.advance();
    }
    if let Token::Decimal(digits) = &cursor.peek().token {
        text.push_str(digits);
        cursor.advance();
    } else if cursor.eat('.') {
        text.push('.');
    }
    if text.is_empty() {
        return Err(cursor.expected("TCP flags (of FSRPEWAU and '.', or '-' for none), 'udp' or 'icmp'"));
    }
    let (mut flags, mut ecn, mut number) = (0, false, None);
    for letter in text.chars() {
        let bit = match letter {
            '0'..='7' if !ecn && number.is_none() => {
                number = letter.to_digit(8);
                continue;
            }
            'E' | 'W' | 'A' if number.is_none() => {
                ecn = true;
                flag::of_letter(letter)
            }
            'E' | 'W' | 'A' | '0'..='7' => {
                return Err(ParseError::saying(place, format!("Conflicting TCP flag: '{letter}'")));
            }
            _ => flag::of_letter(letter),
        };
        flags |= bit.ok_or_else(|| ParseError::saying(place, format!("Invalid TCP flag: '{letter}'")))?;
    }
    // As in the original a number 0 is none: it says that no flag of ECN is set, not that they are a counter.
    match number.unwrap_or(0) {
        0 => Ok((flags, false)),
        ace => Ok((flags | flag::of_ace(ace), true)),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::super::{Action, Script};
    use super::*;
    use crate::packet::TcpOption;

    fn packet_of(text: &str) -> PacketSpec {
        let script = Script::parse(&format!("0 {text}"), &BTreeMap::new()).unwrap();
        match script.events.into_iter().next().unwrap().action {
            Action::Packet(packet) => packet,
            other => panic!("{other:?}"),
        }
    }

    fn tcp_of(text: &str) -> TcpSpec {
        match packet_of(text).body {
            BodySpec::Tcp(tcp) => tcp,
            other => panic!("{other:?}"),
        }
    }

    fn error_of(text: &str) -> String {
        Script::parse(&format!("0 {text}"), &BTreeMap::new()).unwrap_err().sentence
    }

    #[test]
    fn a_segment_has_all_its_fields() {
        let tcp = tcp_of("< 5 > 6 UP. 1:1001(1000) ack 7 win 8 urg 9 <nop,nop,sack 1:2 3:4>");
        assert_eq!(tcp.ports, Some(Ports { source: 5, destination: 6 }));
        assert_eq!(tcp.flags, flag::URG | flag::PSH | flag::ACK);
        assert_eq!((tcp.seq, tcp.payload_bytes, tcp.ack), (1, 1000, 7));
        assert_eq!((tcp.window, tcp.urgent), (Some(8), 9));
        let sack = TcpOption::Sack(vec![(1, 2), (3, 4)]);
        assert_eq!(tcp.options, Some(vec![TcpOption::Nop, TcpOption::Nop, sack]));
    }

    #[test]
    fn ecn_is_told_by_letters_or_by_a_number() {
        assert_eq!(tcp_of("> SEWA 0:0(0)").flags, flag::SYN | flag::ECE | flag::CWR | flag::AE);
        let tcp = tcp_of("> P.5 1:1(0) ack 1 <...>");
        assert_eq!((tcp.flags, tcp.ace), (flag::PSH | flag::ACK | flag::AE | flag::ECE, true));
        assert_eq!((tcp.window, tcp.options), (None, None));
        assert_eq!(error_of("> SE.5 0:0(0)"), "Conflicting TCP flag: '5'");
        assert_eq!(error_of("> SX 0:0(0)"), "Invalid TCP flag: 'X'");
        assert_eq!(tcp_of("> - 0:0(0)").flags, 0);
    }

    #[test]
    fn the_ip_header_stands_in_brackets() {
        assert_eq!(packet_of("> [ect01] . 1:1(0)").ip.tos, Some(Tos::Ect01));
        assert_eq!(packet_of("> (tos 0x1c) . 1:1(0)").ip.tos, Some(Tos::Whole(0x1c)));
        assert_eq!(packet_of("> [ttl 3] . 1:1(0)").ip.ttl, Some(3));
        let ip = packet_of("> [noecn, flowlabel 0x7] . 1:1(0)").ip;
        assert_eq!((ip.tos, ip.flow_label), (Some(Tos::Ecn(0)), Some(7)));
    }

    #[test]
    fn numbers_must_agree_and_fit() {
        assert_eq!(error_of("> . 1:3(1)"), "inconsistent TCP sequence numbers and payload size");
        assert_eq!(error_of("> . 1:1(0) win 70000"), "the window is out of range: 70000");
    }

    #[test]
    fn icmp_messages_quote_what_they_are_about() {
        let icmp = |text| match packet_of(text).body {
            BodySpec::Icmp(icmp) => icmp,
            other => panic!("{other:?}"),
        };
        let message = icmp("< icmp unreachable frag_needed mtu 1200 [1:1001(1000)]");
        assert_eq!((message.kind.as_str(), message.code.as_deref()), ("unreachable", Some("frag_needed")));
        assert_eq!((message.mtu, message.quoted), (Some(1200), Quoted::Tcp { seq: 1, payload_bytes: 1000 }));
        assert_eq!(icmp("< icmp unreachable port [udp (5)]").quoted, Quoted::Udp { payload_bytes: 5 });
        assert_eq!(icmp("> icmp echo_request id 3 [raw (8)]").id, 3);
    }

    #[test]
    fn outer_headers_are_named() {
        let packet = packet_of("> ipv4 10.0.0.1 > 10.0.0.2: gre: . 1:1(0)");
        assert_eq!(packet.wrappers, ["IP in IP", "GRE"]);
        assert_eq!(packet_of("> udp 5 > 6 (7)").wrappers, [""; 0]);
    }
}
