//! The way up: from a datagram's bytes to the queue of its endpoint.

use std::net::SocketAddr;

use ieum_wire::Unreachable;
use ieum_wire::checksum::pseudo_header;
use ieum_wire::udp::{Header, ParseError};
use ieum_wire::{ChecksumState, Protocol};

use super::{DatagramError, Envelope, Udp};
use crate::drops::Drop;
use crate::event::{Event, Events};
use crate::icmp::{Quoted, Word};
use crate::ip::{For, Groups, Received};
use crate::link::LinkId;

impl Udp {
    /// Delivers a datagram, or says why not. Nobody at home ([`Drop::UdpPortUnknown`]) deserves an ICMP error.
    pub(crate) fn receive(
        &mut self,
        received: &Received<'_>,
        checksum: ChecksumState,
        for_whom: For,
        groups: &Groups,
        events: &mut Events,
    ) -> Result<(), Drop> {
        let (header, payload) = parse(received, checksum)?;
        let source = SocketAddr::new(received.source, header.source_port);
        let destination = SocketAddr::new(received.destination, header.destination_port);
        let envelope = Envelope { source, destination, ttl: received.ttl, tos: received.tos };
        if for_whom == For::Everybody {
            return self.deliver_to_all(received.link, envelope, payload, groups, events);
        }
        match self.demux.find(&self.endpoints, destination, source) {
            Some(id) => {
                let endpoint = self.endpoints.get_mut(id).ok_or(Drop::UdpPortUnknown)?;
                if !endpoint.inbox.push(envelope, payload) {
                    return Err(Drop::UdpQueueFull);
                }
                events.push(Event::Udp(id));
                Ok(())
            }
            None => self.deliver_to_nobody(envelope, payload, events),
        }
    }

    /// Everyone bound to the port gets a copy (RFC 1122 §4.1.3.5 leaves it to us; so does Linux); of what was sent to a
    /// group, everyone who hears that sender in it.
    fn deliver_to_all(
        &mut self,
        link: LinkId,
        envelope: Envelope,
        payload: &[u8],
        groups: &Groups,
        events: &mut Events,
    ) -> Result<(), Drop> {
        let mut outcome = Err(Drop::UdpPortUnknown);
        let (group, source) = (envelope.destination.ip(), envelope.source);
        for id in self.demux.find_all(envelope.destination, source) {
            let Some(endpoint) = self.endpoints.get_mut(id) else { continue };
            if group.is_multicast() {
                let all = endpoint.hears_all_groups(group);
                if !groups.allow(&endpoint.memberships, link, group, source.ip(), all) {
                    continue;
                }
            }
            if endpoint.inbox.push(envelope, payload) {
                events.push(Event::Udp(id));
                outcome = Ok(());
            } else if outcome.is_err() {
                outcome = Err(Drop::UdpQueueFull);
            }
        }
        outcome
    }

    /// Where we stand for any destination, the owner of the stack asks for what nobody is bound for.
    fn deliver_to_nobody(
        &mut self,
        envelope: Envelope,
        payload: &[u8],
        events: &mut Events,
    ) -> Result<(), Drop> {
        let any = self.any.as_mut().ok_or(Drop::UdpPortUnknown)?;
        if !any.push(envelope, payload) {
            return Err(Drop::UdpAnyQueueFull);
        }
        events.push(Event::AnyDatagram);
        Ok(())
    }

    /// An ICMP error about a datagram of ours. An endpoint connected to exactly that peer is told; so is, of all that was
    /// sent from its address and port, one that keeps errors. `true`: it was a connected one, and the word is believed.
    pub(crate) fn on_unreachable(&mut self, word: &Word, quoted: &Quoted<'_>, events: &mut Events) -> bool {
        let connected = self.demux.find_connected(quoted.ours, quoted.theirs);
        let Some(id) = connected.or_else(|| self.demux.find_bound(quoted.ours)) else { return false };
        let Some(endpoint) = self.endpoints.get_mut(id) else { return false };
        if connected.is_none() && !endpoint.errors.is_kept() {
            return false;
        }
        let reason = word.reason;
        let was_kept = endpoint.errors.keep(|| DatagramError {
            reason,
            kind: word.kind,
            code: word.code,
            by: word.by,
            destination: quoted.theirs,
            payload: quoted.payload.to_vec(),
        });
        // What is too large is no failure: the next one is cut to the size that the router told (RFC 8201 §5).
        let fails = !matches!(reason, Unreachable::FragmentationNeeded { .. });
        if fails {
            endpoint.error = Some(reason);
        }
        if fails || was_kept {
            events.push(Event::Udp(id));
        }
        connected.is_some()
    }
}

/// Header and payload of an intact datagram. What stands behind its own length is not looked at (RFC 9868 §7 counts
/// on that).
fn parse<'a>(received: &Received<'a>, checksum: ChecksumState) -> Result<(Header, &'a [u8]), Drop> {
    let parsed = Header::parse(received.payload).map_err(|error| match error {
        ParseError::Truncated => Drop::UdpTruncated,
        ParseError::Length => Drop::UdpLength,
    })?;
    let datagram = received.payload.get(..parsed.length_bytes).ok_or(Drop::UdpTruncated)?;
    // RFC 8200 §8.1: over IPv6 a sender must compute one, for no header below would show an address that was changed.
    if checksum != ChecksumState::Deferred && !parsed.has_checksum && received.source.is_ipv6() {
        return Err(Drop::UdpChecksum);
    }
    if checksum == ChecksumState::Present && parsed.has_checksum {
        let sum = pseudo_header(received.source, received.destination, Protocol::Udp, datagram.len());
        if !sum.plus(datagram).is_valid() {
            return Err(Drop::UdpChecksum);
        }
    }
    let payload = datagram.get(ieum_wire::udp::HEADER_BYTES..).ok_or(Drop::UdpTruncated)?;
    Ok((parsed.header, payload))
}
