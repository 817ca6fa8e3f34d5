//! DNS messages (RFC 1035): reading a question, writing what is answered to it.
//!
//! Only the plain question of a program is read: one question of class IN, with or without EDNS (RFC 6891). Everything
//! else (zone transfers, updates, other classes, what cannot be parsed) is nobody's business here.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use domain::base::iana::{Class, Opcode, Rcode};
use domain::base::message_builder::AnswerBuilder;
use domain::base::name::ParsedName;
use domain::base::{Message, MessageBuilder, Name, Rtype, StaticCompressor, Ttl};
use domain::rdata::{A, Aaaa, Ptr};

use crate::bounds::NAME_TTL_SECONDS;

/// The largest answer over UDP that we promise to take, in bytes: what IPv6 carries unfragmented anywhere, as resolvers
/// have agreed on (DNS flag day 2020).
const EDNS_BYTES: u16 = 1232;

/// A question that a program has asked.
#[derive(Debug)]
pub(super) struct Question<'a> {
    message: &'a Message<[u8]>,
    /// In lower case and without a final dot; what is no letter, digit or sign is escaped with a backslash.
    pub(super) name: String,
    kind: Rtype,
}

/// What is answered.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Answer<'a> {
    /// The name means these addresses; those that were not asked for are left out, and none is an answer too.
    Addresses(&'a [IpAddr]),
    /// The address has this name.
    Pointer(&'a str),
    /// There is no such name (NXDOMAIN).
    NoSuchName,
    /// Nobody could be asked (SERVFAIL).
    Failure,
}

impl<'a> Question<'a> {
    /// Reads a message; `None` when it is no plain question.
    pub(super) fn read(message: &'a [u8]) -> Option<Question<'a>> {
        let message = Message::from_slice(message).ok()?;
        let header = message.header();
        if header.qr() || header.opcode() != Opcode::QUERY || header.tc() {
            return None;
        }
        let question = message.sole_question().ok()?;
        let is_plain = matches!(question.qclass(), Class::IN | Class::ANY)
            && !matches!(question.qtype(), Rtype::AXFR | Rtype::IXFR)
            && message.header_counts().ancount() == 0;
        is_plain.then(|| Question { message, name: text(question.qname()), kind: question.qtype() })
    }

    /// The address whose name is asked for, when one is (RFC 1035 §3.5, RFC 3596 §2.5).
    pub(super) fn asked_address(&self) -> Option<IpAddr> {
        reversed_ip4(&self.name).map(IpAddr::V4).or_else(|| reversed_ip6(&self.name).map(IpAddr::V6))
    }

    /// The message that answers it; `None` only where there is no room for one, which there is.
    pub(super) fn answer(&self, answer: Answer<'_>) -> Option<Vec<u8>> {
        let rcode = match answer {
            Answer::Addresses(_) | Answer::Pointer(_) => Rcode::NOERROR,
            Answer::NoSuchName => Rcode::NXDOMAIN,
            Answer::Failure => Rcode::SERVFAIL,
        };
        let target = StaticCompressor::new(Vec::with_capacity(512));
        let mut builder = MessageBuilder::from_target(target).ok()?.start_answer(self.message, rcode).ok()?;
        // Who answers without authority and offers no recursion is taken for a server that was asked by mistake, and
        // answers without data would not be believed (glibc, Go).
        builder.header_mut().set_aa(answer != Answer::Failure);
        builder.header_mut().set_ra(true);
        match answer {
            Answer::Addresses(addresses) => self.push_addresses(&mut builder, addresses)?,
            Answer::Pointer(name) => self.push_pointer(&mut builder, name)?,
            Answer::NoSuchName | Answer::Failure => {}
        }
        let mut builder = builder.additional();
        if let Some(asked) = self.message.opt() {
            // RFC 6891 §6.1.1: who asks with EDNS is answered with it.
            let opt = builder.opt(|opt| {
                opt.set_udp_payload_size(EDNS_BYTES);
                opt.set_dnssec_ok(asked.dnssec_ok());
                Ok(())
            });
            opt.ok()?;
        }
        Some(builder.finish().into_target())
    }

    fn push_addresses(&self, builder: &mut Records, addresses: &[IpAddr]) -> Option<()> {
        // RFC 8482 §4.1: who asks for anything gets something. IPv4's, where there are any.
        let ip4 = match self.kind {
            Rtype::ANY => addresses.iter().any(IpAddr::is_ipv4),
            kind => kind == Rtype::A,
        };
        let ip6 = self.kind == Rtype::AAAA || (self.kind == Rtype::ANY && !ip4);
        let name = self.qname()?;
        for address in addresses {
            match address {
                IpAddr::V4(address) if ip4 => builder.push((&name, TTL, A::new(*address))).ok()?,
                IpAddr::V6(address) if ip6 => builder.push((&name, TTL, Aaaa::new(*address))).ok()?,
                IpAddr::V4(_) | IpAddr::V6(_) => {}
            }
        }
        Some(())
    }

    fn push_pointer(&self, builder: &mut Records, name: &str) -> Option<()> {
        if matches!(self.kind, Rtype::PTR | Rtype::ANY) {
            let name: Name<Vec<u8>> = name.parse().ok()?;
            builder.push((&self.qname()?, TTL, Ptr::new(name))).ok()?;
        }
        Some(())
    }

    fn qname(&self) -> Option<ParsedName<&[u8]>> {
        Some(self.message.sole_question().ok()?.into_qname())
    }
}

/// An answer that is being written.
type Records = AnswerBuilder<StaticCompressor<Vec<u8>>>;

const TTL: Ttl = Ttl::from_secs(NAME_TTL_SECONDS);

/// The number that tells a message from its likes; `None` for what is too short to be one.
pub(super) fn id(message: &[u8]) -> Option<u16> {
    message.first_chunk().map(|id| u16::from_be_bytes(*id))
}

fn text(name: &ParsedName<&[u8]>) -> String {
    name.to_string().to_ascii_lowercase()
}

/// `4.3.2.1.in-addr.arpa` is 1.2.3.4.
fn reversed_ip4(name: &str) -> Option<Ipv4Addr> {
    let labels = name.strip_suffix(".in-addr.arpa")?.split('.').rev();
    let octets: Vec<u8> = labels.map(|label| label.parse().ok()).collect::<Option<_>>()?;
    <[u8; 4]>::try_from(octets).ok().map(Ipv4Addr::from)
}

/// Thirty-two nibbles before `.ip6.arpa`, the last of the address first.
fn reversed_ip6(name: &str) -> Option<Ipv6Addr> {
    let labels = name.strip_suffix(".ip6.arpa")?.split('.').rev();
    let nibble = |label: &str| (label.len() == 1).then(|| u8::from_str_radix(label, 16).ok())?;
    let nibbles: Vec<u8> = labels.map(nibble).collect::<Option<_>>()?;
    let nibbles = <[u8; 32]>::try_from(nibbles).ok()?;
    Some(nibbles.into_iter().fold(0_u128, |bits, nibble| bits << 4 | u128::from(nibble)).into())
}

#[cfg(test)]
pub(super) mod tests {
    use domain::base::ToName;
    use domain::base::message_builder::OptBuilder;
    use domain::rdata::AllRecordData;

    use super::*;

    /// A question, as programs ask.
    pub(in crate::name_service) fn question(name: &str, kind: Rtype, edns: bool) -> Vec<u8> {
        let mut builder = MessageBuilder::new_vec();
        builder.header_mut().set_id(0x1eaf);
        builder.header_mut().set_rd(true);
        let mut builder = builder.question();
        builder.push((&name.parse::<Name<Vec<u8>>>().unwrap(), kind)).unwrap();
        let mut builder = builder.additional();
        if edns {
            let large = |opt: &mut OptBuilder<'_, _>| {
                opt.set_udp_payload_size(4096);
                Ok(())
            };
            builder.opt(large).unwrap();
        }
        builder.finish()
    }

    /// What an answer says: its code, and its records' data.
    pub(in crate::name_service) fn said(answer: &[u8]) -> (Rcode, Vec<String>) {
        let message = Message::from_octets(answer).unwrap();
        assert_eq!((message.header().id(), message.header().qr()), (0x1eaf, true));
        let records = message.answer().unwrap().limit_to::<AllRecordData<_, _>>();
        let data = records.map(|record| {
            let record = record.unwrap();
            assert!(record.owner().name_eq(&message.sole_question().unwrap().qname()));
            record.data().to_string()
        });
        (message.header().rcode(), data.collect())
    }

    fn answered(name: &str, kind: Rtype, answer: Answer<'_>) -> (Rcode, Vec<String>) {
        let message = question(name, kind, false);
        said(&Question::read(&message).unwrap().answer(answer).unwrap())
    }

    fn both() -> Vec<IpAddr> {
        ["10.77.0.1", "fd77::1", "10.77.0.9"].map(|text| text.parse().unwrap()).to_vec()
    }

    #[test]
    fn each_family_gets_its_own_addresses_in_their_order() {
        let addresses = both();
        let answered = |kind| answered("DB.Example", kind, Answer::Addresses(&addresses));
        let data = |data: &[&str]| (Rcode::NOERROR, data.iter().map(ToString::to_string).collect());
        assert_eq!(answered(Rtype::A), data(&["10.77.0.1", "10.77.0.9"]));
        assert_eq!(answered(Rtype::AAAA), data(&["fd77::1"]));
        assert_eq!(answered(Rtype::ANY), data(&["10.77.0.1", "10.77.0.9"]));
        assert_eq!(answered(Rtype::MX), data(&[]));
        assert_eq!(answered(Rtype::HTTPS), data(&[]));
    }

    #[test]
    fn a_question_is_known_by_its_name_in_lower_case() {
        let message = question("DB.Example.", Rtype::A, true);
        assert_eq!(Question::read(&message).unwrap().name, "db.example");
        // A dot within a label is not one between labels.
        let message = question("db\\.example", Rtype::A, false);
        assert_eq!(Question::read(&message).unwrap().name, "db\\.example");
    }

    #[test]
    fn who_asks_with_edns_is_answered_with_it() {
        for edns in [false, true] {
            let message = question("db.example", Rtype::A, edns);
            let answer = Question::read(&message).unwrap().answer(Answer::NoSuchName).unwrap();
            let answer = Message::from_octets(answer).unwrap();
            assert_eq!(answer.opt().is_some(), edns);
            assert!(answer.header().aa() && answer.header().ra() && answer.header().rd());
        }
    }

    #[test]
    fn an_address_of_either_family_gets_its_name() {
        let address = |name: &str| {
            let message = question(name, Rtype::PTR, false);
            Question::read(&message).unwrap().asked_address()
        };
        for text in ["10.77.0.1", "fd77::1", "2001:db8::abcd"] {
            let asked: IpAddr = text.parse().unwrap();
            let name = Name::<Vec<u8>>::reverse_from_addr(asked).unwrap().to_string();
            assert_eq!(address(&name), Some(asked));
        }
        for name in
            ["1.0.77.in-addr.arpa", "1.1.0.77.10.in-addr.arpa", "x.0.77.10.in-addr.arpa", "1.ip6.arpa"]
        {
            assert_eq!(address(name), None, "{name}");
        }
        let (name, pointer) = ("1.0.77.10.in-addr.arpa", Answer::Pointer("db.example"));
        assert_eq!(answered(name, Rtype::PTR, pointer), (Rcode::NOERROR, vec!["db.example.".into()]));
    }

    #[test]
    fn what_is_no_plain_question_is_not_read() {
        let good = question("db.example", Rtype::A, true);
        assert!(Question::read(&good).is_some());
        for short in 0..good.len() {
            // Whatever is left of it: no panic, and no question before its own end.
            let read = Question::read(&good[..short]);
            assert!(read.is_none() || short >= 12 + 16, "{short}");
        }
        let changed = |at: usize, to: u8| {
            let mut message = good.clone();
            message[at] = to;
            Question::read(&message).is_none()
        };
        assert!(changed(2, 0x80), "an answer");
        assert!(changed(2, 0x28), "an update");
        assert!(changed(5, 0) && changed(5, 2), "no question, two questions");
        assert!(changed(27, 3), "class CHAOS");
        assert!(changed(12, 0xc0), "a name that points to itself");
        assert!(Question::read(&question("db.example", Rtype::AXFR, false)).is_none());
    }

    #[test]
    fn the_largest_answer_fits_into_the_smallest_datagram() {
        let name = [&"a".repeat(63), &"b".repeat(63), &"c".repeat(63), &"d".repeat(61)]
            .map(String::as_str)
            .join(".");
        let message = question(&name, Rtype::AAAA, true);
        let count = u16::try_from(crate::bounds::NAME_ADDRESSES_MAX).unwrap();
        let many: Vec<IpAddr> =
            (0..count).map(|last| IpAddr::from([0xfd77, 0, 0, 0, 0, 0, 0, last])).collect();
        let answer = Question::read(&message).unwrap().answer(Answer::Addresses(&many)).unwrap();
        assert_eq!(said(&answer).1.len(), many.len());
        assert!(answer.len() <= 512, "{}", answer.len());
    }
}
