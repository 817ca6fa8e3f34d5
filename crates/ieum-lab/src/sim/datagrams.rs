//! Datagrams over UDP from one host to another, and back when they are echoed.
//!
//! While there is trouble a datagram may be lost; one that arrives is whole, and arrives once unless a wire doubles
//! frames. In the calm each arrives ([`Datagrams::probe`]).

use std::collections::BTreeMap;
use std::net::SocketAddr;

use ieum_socket::{Errno, Host, SocketId};
use ieum_wire::Instant;

use super::machine::Machine;
use super::plan::DatagramPlan;
use super::side::unless_again;
use super::stream::{AF_INET6, domain};
use crate::node::NodeId;
use crate::pattern::Pattern;
use crate::world::World;

const SOCK_DGRAM: i32 = 2;

/// Bytes of the number that each begins with.
const NUMBER_BYTES: usize = 8;

/// How many are sent in the calm, one after the other.
const PROBES: u64 = 2;

/// The flow's datagrams.
pub(super) struct Datagrams {
    number: usize,
    plan: DatagramPlan,
    ends: [NodeId; 2],
    address: SocketAddr,
    /// The wire doubles frames, there or back.
    doubles: bool,
    /// The sockets, with the lives of their hosts.
    sockets: [Option<(SocketId, u32)>; 2],
    sent: u32,
    next: Option<Instant>,
    /// How often each has arrived: there, and back.
    arrived: [BTreeMap<u64, u32>; 2],
    /// Probes sent so far, and bytes of each.
    probes: u64,
    probe_bytes: usize,
}

impl Datagrams {
    /// `probe_bytes`: what fits into one frame.
    pub(super) fn new(
        number: usize,
        plan: DatagramPlan,
        (ends, address): ([NodeId; 2], SocketAddr),
        doubles: bool,
        probe_bytes: usize,
    ) -> Datagrams {
        Datagrams {
            number,
            plan,
            ends,
            address,
            doubles,
            sockets: [None; 2],
            sent: 0,
            next: Some(plan.begins),
            arrived: [BTreeMap::new(), BTreeMap::new()],
            probes: 0,
            probe_bytes: probe_bytes.min(plan.bytes),
        }
    }

    /// The socket at one end is made: at the beginning, and after its host was switched on.
    pub(super) fn open(&mut self, end: usize, machine: &mut Machine) {
        let life = machine.lives();
        let Some(host) = machine.host_mut() else { return };
        let domain = domain(self.plan.family);
        let socket = host.socket(domain, SOCK_DGRAM, 0).expect("datagrams are served");
        let port = if end == 1 { self.address.port() } else { 0 };
        let any = if domain == AF_INET6 {
            SocketAddr::from(([0u16; 8], port))
        } else {
            SocketAddr::from(([0, 0, 0, 0], port))
        };
        assert_eq!(host.bind(socket, any), Ok(()), "nobody else has that port");
        self.sockets[end] = Some((socket, life));
    }

    /// The sockets at a host are made anew.
    pub(super) fn reopen(&mut self, node: NodeId, machine: &mut Machine) {
        for end in [0, 1] {
            if self.ends[end] == node {
                self.open(end, machine);
            }
        }
    }

    pub(super) fn close(&mut self, now: Instant, end: usize, machine: &mut Machine) {
        if let Some((socket, life)) = self.sockets[end].take()
            && let Some(host) = machine.host_of(life)
        {
            host.close(now, socket);
        }
    }

    pub(super) fn ends(&self) -> [NodeId; 2] {
        self.ends
    }

    /// Sends what is due and takes what has come.
    pub(super) fn pump(&mut self, world: &mut World<Machine>, told: &[bool]) {
        let now = world.now();
        if let Some(next) = self.next
            && (now >= next || told[self.ends[0].0])
        {
            self.send(world);
        }
        for end in [1, 0] {
            if told[self.ends[end].0] {
                self.receive(world, end);
            }
        }
    }

    /// All that was planned was sent.
    pub(super) fn is_done(&self) -> bool {
        self.next.is_none()
    }

    /// In the calm: `true` when each of some datagrams has arrived, and come back when they are echoed.
    pub(super) fn probe(&mut self, world: &mut World<Machine>) -> bool {
        let last = probe_number(self.probes.saturating_sub(1));
        let ways = if self.plan.echoed { 2 } else { 1 };
        let arrived = self.probes == 0 || self.arrived[..ways].iter().all(|way| way.contains_key(&last));
        if !arrived || self.probes == PROBES {
            return arrived;
        }
        let (now, to) = (world.now(), self.plan.family.written(self.address));
        let Some((host, socket)) = self.socket(world, 0) else { return true };
        let bytes = datagram(probe_number(self.probes), self.probe_bytes);
        let sent = host.send_to(now, socket, &bytes, Some(to));
        assert_eq!(sent, Ok(bytes.len()), "datagrams {}: nothing is in the way of a probe", self.number);
        self.probes += 1;
        false
    }

    /// Datagrams that arrived, with copies.
    pub(super) fn arrived(&self) -> u64 {
        self.arrived.iter().flat_map(BTreeMap::values).copied().map(u64::from).sum()
    }

    /// How it stands, for a report.
    pub(super) fn told(&self) -> String {
        let [there, back] = [0, 1].map(|way| self.arrived[way].len());
        let Datagrams { number, sent, probes, .. } = self;
        format!("datagrams {number}: {sent} sent, {there} arrived, {back} came back, {probes} probes of them")
    }

    fn socket<'a>(&self, world: &'a mut World<Machine>, end: usize) -> Option<(&'a mut Host, SocketId)> {
        let (socket, life) = self.sockets[end]?;
        Some((world.node_mut(self.ends[end]).host_of(life)?, socket))
    }

    fn send(&mut self, world: &mut World<Machine>) {
        let (now, to) = (world.now(), self.plan.family.written(self.address));
        while let Some(next) = self.next
            && next <= now
        {
            if self.sent == self.plan.count {
                self.next = None;
                return;
            }
            let bytes = datagram(u64::from(self.sent), self.plan.bytes);
            if let Some((host, socket)) = self.socket(world, 0) {
                match unless_again(host.send_to(now, socket, &bytes, Some(to))) {
                    Ok(Some(count)) => assert_eq!(count, bytes.len(), "a datagram is sent whole"),
                    // There will be word when there is room.
                    Ok(None) => return,
                    Err(errno) => panic!("datagrams {}: sending one says {errno:?}", self.number),
                }
            }
            self.sent += 1;
            let next = now + self.plan.pause;
            self.next = Some(next);
            if next > now {
                world.wake_at(next);
            }
        }
    }

    fn receive(&mut self, world: &mut World<Machine>, end: usize) {
        let now = world.now();
        let echoes = end == 1 && self.plan.echoed;
        loop {
            let Some((host, socket)) = self.socket(world, end) else { return };
            let (bytes, source) = match host.recv_from(now, socket, false) {
                Ok(received) => received,
                Err(Errno::EAGAIN) => return,
                Err(errno) => panic!("datagrams {}: receiving one says {errno:?}", self.number),
            };
            if echoes {
                // One more that is lost.
                let _ = host.send_to(now, socket, &bytes, Some(source));
            }
            self.count(1 - end, &bytes);
        }
    }

    fn count(&mut self, way: usize, bytes: &[u8]) {
        let number = self.number;
        let head = bytes.first_chunk::<NUMBER_BYTES>();
        let which = head.map_or(u64::MAX, |head| u64::from_be_bytes(*head));
        let probe = (0..self.probes).any(|probe| probe_number(probe) == which);
        assert!(probe || which < u64::from(self.sent), "datagrams {number}: {which} was never sent");
        let size = if probe { self.probe_bytes } else { self.plan.bytes };
        assert!(bytes == datagram(which, size), "datagrams {number}: {which} has changed under way");
        let count = self.arrived[way].entry(which).or_default();
        *count += 1;
        assert!(*count == 1 || self.doubles, "datagrams {number}: {which} arrived {count} times");
    }
}

/// The number of a probe, which no other datagram has.
fn probe_number(probe: u64) -> u64 {
    (1 << 32) + probe
}

/// A datagram: its number, and bytes that are no other's.
fn datagram(number: u64, bytes: usize) -> Vec<u8> {
    let mut datagram = vec![0; bytes.max(NUMBER_BYTES)];
    let (head, rest) = datagram.split_at_mut(NUMBER_BYTES);
    head.copy_from_slice(&number.to_be_bytes());
    Pattern::new(number).fill(0, rest);
    datagram
}
