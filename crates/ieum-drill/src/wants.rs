//! Features that a script's packets show and that the stack does not have yet.
//!
//! A script that fails and shows one of these is not said to have failed, but to want the feature. A row goes when the
//! feature comes.

use crate::packet::TcpOption;
use crate::script::{Action, BodySpec, Script, TcpSpec, words as script_words};

/// A feature and how a segment shows it.
type Row = (&'static str, fn(&TcpSpec) -> bool);

const ROWS: &[Row] =
    &[("TCP's MD5 signatures (md5)", |tcp| has(tcp, |option| matches!(option, TcpOption::Md5(_))))];

fn has(tcp: &TcpSpec, is: impl Fn(&TcpOption) -> bool) -> bool {
    tcp.options.iter().flatten().any(is)
}

/// What the packets of a script show that is not there, each once.
pub(crate) fn missing(script: &Script) -> Vec<String> {
    let mut missing: Vec<String> = Vec::new();
    let mut want = |what: &str| {
        if !missing.iter().any(|other| other == what) {
            missing.push(what.to_owned());
        }
    };
    for event in &script.events {
        let Action::Packet(packet) = &event.action else { continue };
        if let BodySpec::Tcp(tcp) = &packet.body {
            ROWS.iter().filter(|(_, shows)| shows(tcp)).for_each(|(what, _)| want(what));
        }
        if packet.ip.flow_label.is_some() {
            want("flow labels of IPv6");
        }
    }
    missing
}

/// What a text that is no script names and that is not there: who wants it says so before its grammar is looked at.
pub(crate) fn named(text: &str) -> Vec<String> {
    const NAMES: &[(&str, &str)] =
        &[("psp", "PSP"), ("psp_rx_assoc", "PSP"), ("psp_tx_assoc", "PSP"), ("mpls", "MPLS"), ("gre", "GRE")];
    let words = script_words(text);
    let mut named: Vec<String> = Vec::new();
    for (word, what) in NAMES {
        if words.iter().any(|other| other == word) && !named.iter().any(|other| other == what) {
            named.push((*what).to_owned());
        }
    }
    named
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    #[test]
    fn what_a_text_that_is_no_script_wants_is_named() {
        assert_eq!(named("0 psp_rx_assoc(3) = 0\n> encap psp spi X . 1:1(0)"), ["PSP"]);
        assert_eq!(named("0 read(3) // psp"), [""; 0]);
    }

    #[test]
    fn what_is_shown_is_named_once() {
        let text = "0 < S 0:10(10) win 1 <FO 0011,nop,nop,nop,nop>\n+0 < SA 0:10(10) win 1\n+0 > . 1:1(0) <sack 1:2,nop,nop>";
        let script = Script::parse(text, &BTreeMap::new()).unwrap();
        assert_eq!(missing(&script), [""; 0]);
    }
}
