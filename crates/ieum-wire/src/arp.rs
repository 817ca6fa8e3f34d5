//! The address resolution protocol for IPv4 over Ethernet (RFC 826).

use std::net::Ipv4Addr;

use crate::bytes::{array_at, put, u16_at};
use crate::ethernet::{EtherType, MacAddress};

/// Bytes of a message.
pub const MESSAGE_BYTES: usize = 28;

/// Ethernet's number as a kind of hardware.
const HARDWARE_ETHERNET: u16 = 1;

/// What a message does.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Operation {
    /// "Who has the target's IP address?"
    Request,
    /// "The sender has the sender's."
    Reply,
}

/// A message.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Message {
    /// What it does.
    pub operation: Operation,
    /// Who says it.
    pub sender_mac: MacAddress,
    /// The sender's address; 0.0.0.0 of one that asks whether an address is free (RFC 5227 §2.1.1).
    pub sender_ip: Ipv4Addr,
    /// Of a reply: whom it is for.
    pub target_mac: MacAddress,
    /// The address in question.
    pub target_ip: Ipv4Addr,
}

impl Message {
    /// Reads a message; `None` when it is too short, of other hardware or of another protocol. Padding may follow.
    pub fn parse(bytes: &[u8]) -> Option<Message> {
        let shape = (u16_at(bytes, 0)?, u16_at(bytes, 2)?, array_at::<2>(bytes, 4)?);
        if shape != (HARDWARE_ETHERNET, EtherType::Ip4.number(), [6, 4]) {
            return None;
        }
        let operation = match u16_at(bytes, 6)? {
            1 => Operation::Request,
            2 => Operation::Reply,
            _ => return None,
        };
        Some(Message {
            operation,
            sender_mac: MacAddress(array_at(bytes, 8)?),
            sender_ip: array_at::<4>(bytes, 14)?.into(),
            target_mac: MacAddress(array_at(bytes, 18)?),
            target_ip: array_at::<4>(bytes, 24)?.into(),
        })
    }

    /// The message's bytes.
    pub fn emit(&self) -> [u8; MESSAGE_BYTES] {
        let mut out = [0; MESSAGE_BYTES];
        put(&mut out, 0, HARDWARE_ETHERNET.to_be_bytes());
        put(&mut out, 2, EtherType::Ip4.number().to_be_bytes());
        put(&mut out, 4, [6, 4]);
        let operation: u16 = match self.operation {
            Operation::Request => 1,
            Operation::Reply => 2,
        };
        put(&mut out, 6, operation.to_be_bytes());
        put(&mut out, 8, self.sender_mac.0);
        put(&mut out, 14, self.sender_ip.octets());
        put(&mut out, 18, self.target_mac.0);
        put(&mut out, 24, self.target_ip.octets());
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_emitted_is_parsed() {
        let message = Message {
            operation: Operation::Reply,
            sender_mac: MacAddress([2, 0, 0, 0, 0, 1]),
            sender_ip: [10, 77, 0, 1].into(),
            target_mac: MacAddress([2, 0, 0, 0, 0, 2]),
            target_ip: [10, 77, 0, 2].into(),
        };
        let bytes = message.emit();
        assert_eq!(Message::parse(&bytes), Some(message));
        for length in 0..MESSAGE_BYTES {
            assert_eq!(Message::parse(&bytes[..length]), None);
        }
        for at in 0..8 {
            let mut other = bytes;
            other[at] ^= 4;
            assert_eq!(Message::parse(&other), None, "byte {at}");
        }
    }
}
