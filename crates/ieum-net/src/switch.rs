//! The room of a net's owner: a switch with a port for the owner's own host and one for each member.
//!
//! A packet goes by its destination address to the port that has it, or to all others. What cannot be delivered is
//! dropped and counted; a member that is slow, or stopped, loses its own packets and nobody else's.
//!
//! Invariants:
//!
//! 1. A port sends under its own addresses only (see `forward`).
//! 2. A member's coming is told to all others before it is welcome, so nobody hears a packet of a stranger.
//! 3. What a member has sent before it left is delivered before its leaving is told.

use std::collections::{BTreeMap, VecDeque};
use std::io;
use std::os::fd::AsFd;

use ieum_control::{Channel, ChannelError, Listener, NameError, Received as Heard};
use ieum_engine::{Notice, Ready, Room, Turn};
use ieum_stack::LinkId;
use ieum_wire::{Instant, Packet};

use crate::bounds::{ACCEPT_AGAIN, FRAMES_PER_TURN_MAX, GUESTS_MAX};
use crate::counts::{Counts, Reason};
use crate::end::End;
use crate::forward::{PortId, Table, To};
use crate::hosts::{Host, Hosts, Wish};
use crate::member::{READING, READING_AND_WRITING};
use crate::message::{Peer, Request, Word};
use crate::socket::{FrameSocket, Received, Sent};

/// The port of the owner's own host. Members' ports count from the next.
const OWN: PortId = 0;

/// What a key of the engine stands for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Source {
    Listener,
    Control(PortId),
    Frames(PortId),
}

impl Source {
    fn key(self) -> u64 {
        match self {
            Source::Listener => 0,
            Source::Control(port) => port * 2,
            Source::Frames(port) => port * 2 + 1,
        }
    }

    fn of(key: u64) -> Source {
        match (key, key % 2) {
            (0, _) => Source::Listener,
            (_, 0) => Source::Control(key / 2),
            _ => Source::Frames(key / 2),
        }
    }
}

/// A connection to the control socket, and what it has become.
#[derive(Debug)]
struct Port {
    channel: Channel,
    /// `None` until it has said that it wants to join.
    joined: Option<Joined>,
}

/// A member's port.
#[derive(Debug)]
struct Joined {
    number: u8,
    frames: FrameSocket,
    /// Frames that may still be read in this turn.
    share: usize,
    /// It stands in the queue of those that have something to read.
    is_ready: bool,
    /// Its frame socket is watched for room.
    watches_room: bool,
    /// It has closed its control socket; what it sent before is still to be read.
    is_leaving: bool,
}

/// A net's switch, in the process that owns the net.
#[derive(Debug)]
pub struct Switch {
    listener: Listener,
    hosts: Hosts,
    table: Table,
    ports: BTreeMap<PortId, Port>,
    /// Ports that may have frames to read.
    ready: VecDeque<PortId>,
    next_port: PortId,
    /// The number of the host of this process; `None` once its program has ended.
    own: Option<u8>,
    end: End,
    /// Callers wait until then: there was no descriptor for the next.
    accept_at: Option<Instant>,
    counts: Counts,
}

impl Switch {
    /// The switch of `hosts`, in which `own` is the host of this process, which calls its link `host_link`.
    pub(crate) fn new(listener: Listener, hosts: Hosts, own: &Host, host_link: LinkId) -> Switch {
        let mut end = End::new(hosts.net().clone(), host_link);
        let mut table = Table::default();
        let addresses = hosts.plan().addresses(own.number);
        end.named(&own.name, addresses.iter().map(|own| own.address()).collect());
        table.add(OWN, &addresses);
        Switch {
            listener,
            hosts,
            table,
            ports: BTreeMap::new(),
            ready: VecDeque::new(),
            next_port: OWN + 1,
            own: Some(own.number),
            end,
            accept_at: None,
            counts: Counts::default(),
        }
    }

    /// What was dropped, by reason.
    pub fn counts(&self) -> Vec<(&'static str, u64)> {
        self.counts.list()
    }

    /// The host of this process has ended: it leaves the net, which goes on.
    fn leave(&mut self) {
        if let Some(number) = self.own.take() {
            self.table.remove(OWN);
            self.farewell(number);
        }
    }

    // Coming and going

    fn accept(&mut self, turn: &Turn<'_>) {
        loop {
            let channel = match self.listener.accept() {
                Ok(Some(channel)) => channel,
                Ok(None) => return,
                Err(_) => {
                    turn.unwatch(self.listener.as_fd());
                    self.accept_at = Some(turn.now + ACCEPT_AGAIN);
                    return;
                }
            };
            let guests = self.ports.values().filter(|port| port.joined.is_none()).count();
            let port = self.next_port;
            // Who is turned away finds its connection closed, and may come again.
            if guests < GUESTS_MAX
                && turn.watch(channel.as_fd(), Source::Control(port).key(), READING).is_ok()
            {
                self.next_port += 1;
                self.ports.insert(port, Port { channel, joined: None });
            }
        }
    }

    fn hear(&mut self, turn: &Turn<'_>, port: PortId) {
        let Some(Port { channel, joined }) = self.ports.get_mut(&port) else { return };
        match (channel.receive::<Request>(), joined) {
            (Ok(Heard::Nothing), _) => {}
            (Ok(Heard::Message(Request::Join { name, addresses }, _)), None) => {
                if let Err(sentence) = self.welcome(turn, port, name, addresses) {
                    self.refuse(port, sentence);
                }
            }
            (Ok(Heard::End), Some(joined)) => {
                joined.is_leaving = true;
                turn.unwatch(channel.as_fd());
                self.has_frames(port);
            }
            (Ok(Heard::End), None) => drop(self.ports.remove(&port)),
            (Ok(Heard::Message(..)) | Err(_), _) => self.throw_out(port),
        }
    }

    /// A host comes in: the others hear of it, then itself.
    fn welcome(
        &mut self,
        turn: &Turn<'_>,
        port: PortId,
        name: Option<String>,
        addresses: Vec<std::net::IpAddr>,
    ) -> Result<(), String> {
        let no_descriptor = |error: rustix::io::Errno| {
            format!("the owner of the net has no descriptor left for another host ({error})")
        };
        let name = name.map(|name| name.parse().map_err(|error: NameError| error.to_string())).transpose()?;
        let (frames, theirs) = FrameSocket::pair().map_err(no_descriptor)?;
        turn.watch(frames.fd(), Source::Frames(port).key(), READING).map_err(|error| error.to_string())?;
        let pid = self.ports.get(&port).and_then(|port| port.channel.peer_pid()).unwrap_or(0);
        let host = self.hosts.join(Wish { name, addresses }, pid).map_err(|refusal| refusal.to_string())?;

        let peers =
            self.hosts.iter().filter(|other| other.number != host.number).map(|other| self.peer(other));
        let own = self.peer(&host);
        let cidrs = self.hosts.plan().addresses(host.number);
        let welcome = Word::Welcome {
            own: own.clone(),
            prefixes_bits: cidrs.iter().map(|cidr| cidr.prefix_bits()).collect(),
            gateways: self.hosts.plan().gateways().to_vec(),
            peers: peers.collect(),
        };
        self.table.add(port, &cidrs);
        self.end.came(&host.name, &own.addresses);
        self.tell_others(port, &Word::Joined(own));
        let Some(Port { channel, joined }) = self.ports.get_mut(&port) else { return Ok(()) };
        *joined = Some(Joined {
            number: host.number,
            frames,
            share: 0,
            is_ready: false,
            watches_room: false,
            is_leaving: false,
        });
        if channel.send(&welcome, &[theirs.as_fd()]).is_err() {
            self.remove(port);
        }
        Ok(())
    }

    fn refuse(&mut self, port: PortId, sentence: String) {
        if let Some(port) = self.ports.remove(&port) {
            // Who does not wait for the answer does not need it.
            let _ = port.channel.send(&Word::Refused { sentence }, &[]);
        }
    }

    /// A member that sends what no ieum sends, or does not listen, is not of this net any more.
    fn throw_out(&mut self, port: PortId) {
        self.counts.count(Reason::Stranger);
        self.remove(port);
    }

    /// A connection is over; if it was a member's, the host has left.
    fn remove(&mut self, port: PortId) {
        let Some(Port { joined: Some(joined), .. }) = self.ports.remove(&port) else { return };
        self.table.remove(port);
        self.farewell(joined.number);
    }

    /// A host has left: its name and its addresses are free, and everybody hears of it.
    fn farewell(&mut self, number: u8) {
        let Some(host) = self.hosts.leave(number) else { return };
        let peer = self.peer(&host);
        self.end.left(&host.name, &peer.addresses);
        self.tell_others(OWN, &Word::Left(peer));
    }

    /// Tells all members but one. Who does not listen is thrown out, which is told in its turn.
    fn tell_others(&mut self, but: PortId, word: &Word) {
        let mut deaf = Vec::new();
        for (id, port) in self.ports.iter().filter(|(id, port)| **id != but && port.joined.is_some()) {
            match port.channel.send(word, &[]) {
                // Who has gone is found by reading.
                Ok(()) | Err(ChannelError::Failed(_)) => {}
                Err(ChannelError::Full | ChannelError::Malformed(_) | ChannelError::TooManyDescriptors) => {
                    deaf.push(*id)
                }
            }
        }
        deaf.into_iter().for_each(|port| self.throw_out(port));
    }

    fn peer(&self, host: &Host) -> Peer {
        let addresses = self.hosts.plan().addresses(host.number).iter().map(|own| own.address()).collect();
        Peer { name: host.name.to_string(), addresses }
    }

    // Frames

    /// A member may have something to read: its share of this turn begins.
    fn has_frames(&mut self, port: PortId) {
        let Some(joined) = joined(&mut self.ports, port) else { return };
        joined.share = FRAMES_PER_TURN_MAX;
        if !joined.is_ready {
            joined.is_ready = true;
            self.ready.push_back(port);
        }
    }

    /// The next frame of any member, each in its turn.
    fn next(&mut self) -> Option<(PortId, Packet)> {
        while let Some(port) = self.ready.pop_front() {
            let Some(joined) = joined(&mut self.ports, port) else { continue };
            joined.is_ready = false;
            // Who leaves has no turn after this: all that it sent is read.
            if joined.share == 0 && !joined.is_leaving {
                continue;
            }
            match joined.frames.receive() {
                Received::Frame(packet) => {
                    joined.share = joined.share.saturating_sub(1);
                    joined.is_ready = true;
                    self.ready.push_back(port);
                    return Some((port, packet));
                }
                Received::Nothing if !joined.is_leaving => {}
                Received::Nothing | Received::Gone => self.remove(port),
                Received::Garbage => self.throw_out(port),
            }
        }
        None
    }

    /// Brings a packet to where it belongs; returns it if that is the own host.
    fn forward(&mut self, turn: &Turn<'_>, from: PortId, packet: Packet) -> Option<Packet> {
        match self.table.way(from, &packet) {
            Ok(To::One(OWN)) => return Some(packet),
            Ok(To::One(port)) => self.send(turn, port, packet),
            Ok(To::Others) => {
                let others: Vec<PortId> = self.ports.keys().copied().filter(|port| *port != from).collect();
                others.into_iter().for_each(|port| self.send(turn, port, packet.clone()));
                return Some(packet).filter(|_| from != OWN && self.own.is_some());
            }
            Err(reason) => self.counts.count(reason),
        }
        None
    }

    fn send(&mut self, turn: &Turn<'_>, port: PortId, packet: Packet) {
        let Some(joined) = joined(&mut self.ports, port) else { return };
        match joined.frames.send(packet) {
            Sent::Now => {}
            Sent::Later => joined.watch_room(turn, port),
            Sent::Dropped => self.counts.count(Reason::Overflow),
            // Reading finds the end.
            Sent::Gone => self.counts.count(Reason::Gone),
        }
    }
}

/// The member's port of that name.
fn joined(ports: &mut BTreeMap<PortId, Port>, port: PortId) -> Option<&mut Joined> {
    ports.get_mut(&port)?.joined.as_mut()
}

impl Joined {
    /// The frame socket is watched for room exactly while something waits for it.
    fn watch_room(&mut self, turn: &Turn<'_>, port: PortId) {
        let wanted = self.frames.wants_room();
        if wanted != self.watches_room {
            self.watches_room = wanted;
            let interest = if wanted { READING_AND_WRITING } else { READING };
            // It fails only without memory; then what waits leaves with the next frame.
            let _ = turn.rewatch(self.frames.fd(), Source::Frames(port).key(), interest);
        }
    }
}

impl Room for Switch {
    fn start(&mut self, turn: &Turn<'_>) -> io::Result<()> {
        turn.watch(self.listener.as_fd(), Source::Listener.key(), READING)
    }

    fn on_ready(&mut self, turn: &Turn<'_>, key: u64, ready: Ready) {
        match Source::of(key) {
            Source::Listener => self.accept(turn),
            Source::Control(port) => self.hear(turn, port),
            Source::Frames(port) => {
                if let Some(joined) = joined(&mut self.ports, port).filter(|_| ready.write) {
                    let dropped = joined.frames.flush();
                    joined.watch_room(turn, port);
                    self.counts.add(Reason::Overflow, dropped);
                }
                self.has_frames(port);
            }
        }
    }

    /// From the own host.
    fn on_frame(&mut self, turn: &Turn<'_>, _link: LinkId, frame: Packet) {
        let none = self.forward(turn, OWN, frame);
        debug_assert!(none.is_none(), "a host's packets for itself do not leave it");
    }

    fn on_deadline(&mut self, turn: &Turn<'_>) {
        if self.accept_at.take_if(|at| *at <= turn.now).is_some() && self.start(turn).is_err() {
            self.accept_at = Some(turn.now + ACCEPT_AGAIN);
        }
    }

    fn deadline(&self) -> Option<Instant> {
        self.accept_at
    }

    fn settle(&mut self, _turn: &Turn<'_>) {}

    /// To the own host; what is for others goes there on the way.
    fn poll_frame(&mut self, turn: &Turn<'_>) -> Option<(LinkId, Packet)> {
        while !self.end.has_notices() {
            let (port, packet) = self.next()?;
            if let Some(packet) = self.forward(turn, port, packet) {
                return Some((LinkId::default(), packet));
            }
        }
        None
    }

    fn poll_notice(&mut self) -> Option<Notice> {
        self.end.poll_notice()
    }

    fn on_notice(&mut self, _turn: &Turn<'_>, notice: Notice) {
        if notice == Notice::HostEnded {
            self.leave();
        }
    }

    /// What waits for room waits for members, and as long as there are any the net is needed.
    fn is_unfinished(&self) -> bool {
        false
    }

    /// The net goes on while anybody is in it.
    fn is_needed(&self) -> bool {
        self.ports.values().any(|port| port.joined.is_some())
    }
}
