//! TCP options: `<mss 1460,nop,wscale 8>`, `<...>`.

use super::parser::Cursor;
use super::token::Token;
use super::{ParseError, Problem};
use crate::packet::{AccEcn, TcpOption};

/// A list in angle brackets; nothing is an empty list, `<...>` none at all.
pub(super) fn list(cursor: &mut Cursor) -> Result<Option<Vec<TcpOption>>, Problem> {
    let place = cursor.peek().place;
    if !cursor.eat('<') {
        return Ok(Some(Vec::new()));
    }
    if cursor.peek().token == Token::Ellipsis {
        cursor.advance();
        cursor.expect('>')?;
        return Ok(None);
    }
    let mut options = vec![option(cursor)?];
    while cursor.eat(',') {
        options.push(option(cursor)?);
    }
    cursor.expect('>')?;
    let bytes: usize = options.iter().map(TcpOption::len_bytes).sum();
    if !bytes.is_multiple_of(4) {
        let excess = bytes % 4;
        let sentence = "TCP options are not padded correctly to ensure TCP header is a multiple of 4 bytes";
        return Err(ParseError::saying(place, format!("{sentence}: {excess} excess bytes")));
    }
    if bytes > 40 {
        return Err(ParseError::saying(place, "TCP option list too long"));
    }
    Ok(Some(options))
}

fn option(cursor: &mut Cursor) -> Result<TcpOption, Problem> {
    const EXPECTED: &str = "a TCP option (mss, wscale, sackOK, sack, TS, FO, FOEXP, md5, ECN, nop, eol)";
    let place = cursor.peek().place;
    let name = cursor.word(EXPECTED)?;
    Ok(match name.as_str() {
        "nop" => TcpOption::Nop,
        "eol" => TcpOption::End,
        "mss" => TcpOption::Mss(cursor.number("the MSS")?),
        "wscale" => TcpOption::WindowScale(cursor.number("the window scale")?),
        "sackOK" => TcpOption::SackPermitted,
        "sack" => sack(cursor)?,
        "TS" => timestamps(cursor)?,
        "FO" => TcpOption::FastOpen(blob(cursor, false)?),
        "FOEXP" => TcpOption::FastOpenExperimental(blob(cursor, false)?),
        "md5" => TcpOption::Md5(blob(cursor, true)?),
        "ECN" => accurate_ecn(cursor)?,
        other => return Err(ParseError::at(place, EXPECTED, &format!("'{other}'"))),
    })
}

fn sack(cursor: &mut Cursor) -> Result<TcpOption, Problem> {
    let mut blocks = Vec::new();
    while blocks.is_empty() || matches!(cursor.peek().token, Token::Integer(_)) {
        let left = cursor.number("the left edge of a SACK block")?;
        cursor.expect(':')?;
        blocks.push((left, cursor.number("the right edge of a SACK block")?));
    }
    Ok(TcpOption::Sack(blocks))
}

fn timestamps(cursor: &mut Cursor) -> Result<TcpOption, Problem> {
    let mut numbers = [0; 2];
    for (number, word) in numbers.iter_mut().zip(["val", "ecr"]) {
        if !cursor.eat_word(word) {
            return Err(cursor.expected(&format!("'{word}'")));
        }
        *number = cursor.number("a timestamp")?;
    }
    Ok(TcpOption::Timestamps { value: numbers[0], echo: numbers[1] })
}

/// Bytes in hexadecimal digits, which may look like a name or a number.
fn blob(cursor: &mut Cursor, wanted: bool) -> Result<Vec<u8>, Problem> {
    let place = cursor.peek().place;
    let digits = match &cursor.peek().token {
        Token::Word(word) => word.clone(),
        Token::Integer(_) => cursor.peek().text.clone(),
        _ if wanted => return Err(cursor.expected("bytes in hexadecimal")),
        _ => return Ok(Vec::new()),
    };
    cursor.advance();
    let pairs = digits.as_bytes().chunks(2);
    pairs
        .map(|pair| std::str::from_utf8(pair).ok().filter(|pair| pair.len() == 2))
        .map(|pair| u8::from_str_radix(pair?, 16).ok())
        .collect::<Option<Vec<u8>>>()
        .ok_or_else(|| {
            ParseError::saying(place, format!("'{digits}' is no even number of hexadecimal digits"))
        })
}

/// `ECN e0b 1 ceb 0 e1b 1`, or the other way round (RFC 9768 §3.2.3); one, two or three counters.
fn accurate_ecn(cursor: &mut Cursor) -> Result<TcpOption, Problem> {
    let first = cursor.is_word("e0b");
    if !first && !cursor.is_word("e1b") {
        return Err(cursor.expected("'e0b' or 'e1b'"));
    }
    let order = if first { ["e0b", "ceb", "e1b"] } else { ["e1b", "ceb", "e0b"] };
    let mut counters = Vec::new();
    for name in order {
        if !cursor.eat_word(name) {
            break;
        }
        let place = cursor.peek().place;
        let counter: u32 = cursor.number("a counter of 24 bits")?;
        if counter >> 24 != 0 {
            return Err(ParseError::saying(place, "TCP AccECN field value out of range"));
        }
        counters.push(counter);
    }
    Ok(TcpOption::AccEcn(AccEcn { begins_with_ect0: first, counters }))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::super::{Action, BodySpec, Script};
    use super::*;

    fn parse(list: &str) -> Result<Option<Vec<TcpOption>>, String> {
        let script = Script::parse(&format!("0 > . 1:1(0) {list}"), &BTreeMap::new());
        match script.map_err(|error| error.sentence)?.events.remove(0).action {
            Action::Packet(packet) => match packet.body {
                BodySpec::Tcp(tcp) => Ok(tcp.options),
                other => panic!("{other:?}"),
            },
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn every_option_is_read() {
        let options =
            parse("<mss 1460,sackOK,TS val 1 ecr 2,nop,wscale 7,FO 0123ab,nop,nop,eol>").unwrap().unwrap();
        assert_eq!(
            options[..3],
            [TcpOption::Mss(1460), TcpOption::SackPermitted, TcpOption::Timestamps { value: 1, echo: 2 }]
        );
        assert_eq!(options[5], TcpOption::FastOpen(vec![1, 0x23, 0xab]));
        let counters = AccEcn { begins_with_ect0: false, counters: vec![1, 2, 3] };
        assert_eq!(
            parse("<ECN e1b 1 ceb 2 e0b 3,nop>"),
            Ok(Some(vec![TcpOption::AccEcn(counters), TcpOption::Nop]))
        );
        assert_eq!(parse(""), Ok(Some(Vec::new())));
        assert_eq!(parse("<...>"), Ok(None));
        assert_eq!(
            parse("<FO,nop,nop>"),
            Ok(Some(vec![TcpOption::FastOpen(vec![]), TcpOption::Nop, TcpOption::Nop]))
        );
    }

    #[test]
    fn what_is_no_list_of_options_is_refused() {
        let sentence = |list| parse(list).unwrap_err();
        assert!(sentence("<wscale 7>").ends_with("a multiple of 4 bytes: 3 excess bytes"));
        assert!(sentence("<FO 012>").contains("is no even number"));
        assert!(sentence("<maximum 5>").starts_with("expected a TCP option (mss"));
        assert!(sentence("<mss 70000>").contains("the MSS is out of range"));
    }
}
