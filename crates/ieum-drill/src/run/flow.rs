//! The connection under test, as the script and as the host sees it.
//!
//! A script has its own addresses, ports and sequence numbers: SYNs carry absolute ones, all other segments count from
//! the SYN. The host has others. What is learnt of both from the first packets maps each to the other.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use crate::packet::{Packet, Segment, TcpOption, flag};

/// How far a script has come with a connection.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum State {
    /// After `socket`.
    New,
    /// After `listen`.
    Listening,
    /// A first packet came in.
    Received,
    /// Its SYN-ACK went out.
    SynAckSent,
    /// That was acknowledged.
    SynAckAcknowledged,
    /// After `connect`, or a datagram's `sendto`.
    Connecting,
    /// The SYN is expected.
    SynSent,
    /// It was acknowledged.
    SynAcknowledged,
}

/// What a flow carries.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Protocol {
    Tcp,
    Udp,
    Icmp,
}

/// One connection, listening socket or datagram socket.
#[derive(Clone, Debug)]
pub(crate) struct Flow {
    pub(crate) state: State,
    pub(crate) protocol: Protocol,
    /// The host's end in packets, once known.
    pub(crate) local: Option<SocketAddr>,
    /// The other end in packets, once known.
    pub(crate) remote: Option<SocketAddr>,
    pub(crate) script_local_isn: u32,
    pub(crate) local_isn: u32,
    pub(crate) remote_isn: u32,
    /// The host's timestamp for each that the script has.
    stamps: BTreeMap<u32, u32>,
    /// The first timestamp of script and host.
    first_stamp: Option<(u32, u32)>,
    /// The last flow label of script and host.
    pub(crate) flow_label: Option<(u32, u32)>,
}

impl Flow {
    pub(crate) fn new(state: State, protocol: Protocol) -> Flow {
        Flow {
            state,
            protocol,
            local: None,
            remote: None,
            script_local_isn: 0,
            local_isn: 0,
            remote_isn: 0,
            stamps: BTreeMap::new(),
            first_stamp: None,
            flow_label: None,
        }
    }

    /// What must be added to the host's own sequence numbers in a script.
    fn local_offset(&self, is_syn: bool) -> u32 {
        if is_syn { self.local_isn.wrapping_sub(self.script_local_isn) } else { self.local_isn }
    }

    fn remote_offset(&self, is_syn: bool) -> u32 {
        if is_syn { 0 } else { self.remote_isn }
    }

    /// The host's sequence number for one that a script has in an ordinary segment.
    pub(crate) fn live_local_seq(&self, seq: u32) -> u32 {
        seq.wrapping_add(self.local_offset(false))
    }

    /// Turns a script's segment into one that the host understands. `scaled`: a timestamp to be echoed that the host
    /// never sent is reckoned from the first one.
    pub(crate) fn to_live(&self, segment: &mut Segment, scaled: bool) -> Result<(), String> {
        let is_syn = segment.has(flag::SYN);
        segment.seq = segment.seq.wrapping_add(self.remote_offset(is_syn));
        let offset = self.local_offset(is_syn);
        if segment.has(flag::ACK) {
            segment.ack = segment.ack.wrapping_add(offset);
        }
        shift_sack(segment, offset);
        if !segment.has(flag::ACK) {
            return Ok(());
        }
        for option in &mut segment.options {
            if let TcpOption::Timestamps { echo, .. } = option {
                *echo = self.live_stamp(*echo, scaled)?;
            }
        }
        Ok(())
    }

    fn live_stamp(&self, script: u32, scaled: bool) -> Result<u32, String> {
        match (self.stamps.get(&script), self.first_stamp) {
            (Some(live), _) => Ok(*live),
            (None, Some((first_script, first_live))) if scaled => {
                Ok(script.wrapping_sub(first_script).wrapping_add(first_live))
            }
            (None, _) => Err(format!(
                "unable to infer live TS ecr for script TS ecr {script};  no matching or preceding outbound TS val"
            )),
        }
    }

    /// Turns sequence numbers of a segment of the host's into the script's.
    pub(crate) fn to_script(&self, segment: &mut Segment) {
        let is_syn = segment.has(flag::SYN);
        segment.seq = segment.seq.wrapping_sub(self.local_offset(is_syn));
        let offset = 0u32.wrapping_sub(self.remote_offset(is_syn));
        if segment.has(flag::ACK) {
            segment.ack = segment.ack.wrapping_add(offset);
        }
        shift_sack(segment, offset);
    }

    /// Learns which timestamp of the host's is which of the script's, and turns the former into the latter.
    pub(crate) fn learn_stamps(&mut self, actual: &mut Segment, script: &Segment) {
        let (Some((script, _)), Some((live, _))) = (script.timestamps(), actual.timestamps()) else { return };
        self.stamps.insert(script, live);
        let (first_script, first_live) = *self.first_stamp.get_or_insert((script, live));
        for option in &mut actual.options {
            if let TcpOption::Timestamps { value, .. } = option {
                *value = live.wrapping_sub(first_live).wrapping_add(first_script);
            }
        }
    }

    /// Did the host send this packet for this flow? A connection that is just being made is recognised by where it
    /// goes to, and its own end is learnt from it.
    pub(crate) fn claims(&mut self, packet: &Packet) -> bool {
        let (source, destination) = packet.ports();
        let ends = (SocketAddr::new(packet.source, source), SocketAddr::new(packet.destination, destination));
        if self.protocol == Protocol::Icmp && matches!(packet.body, crate::packet::Body::Icmp(_)) {
            let is_same =
                |end: Option<SocketAddr>, other: SocketAddr| end.is_none_or(|end| end.ip() == other.ip());
            return is_same(self.local, ends.0) && is_same(self.remote, ends.1);
        }
        if (self.local, self.remote) == (Some(ends.0), Some(ends.1)) {
            return true;
        }
        let is_first = match (self.protocol, self.state, &packet.body) {
            (Protocol::Udp, State::Connecting, crate::packet::Body::Udp(_)) => true,
            (Protocol::Tcp, State::SynSent, crate::packet::Body::Tcp(segment)) => {
                segment.has(flag::SYN) && !segment.has(flag::ACK)
            }
            (_, _, _) => false,
        };
        if !is_first || self.remote != Some(ends.1) {
            return false;
        }
        self.local = Some(ends.0);
        if let Some(segment) = packet.tcp() {
            self.local_isn = segment.seq;
        }
        true
    }
}

fn shift_sack(segment: &mut Segment, offset: u32) {
    for option in &mut segment.options {
        if let TcpOption::Sack(blocks) = option {
            for (left, right) in blocks {
                *left = left.wrapping_add(offset);
                *right = right.wrapping_add(offset);
            }
        }
    }
}
