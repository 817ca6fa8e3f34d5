//! The room of a member: its host's end of the link, joined by a frame socket to the owner's switch.
//!
//! Frames and words come by two sockets, so a packet of a newcomer could be read before the word that it came. Causes come
//! first all the same: the owner says that somebody came before it says welcome to him, so a packet from a stranger
//! means that his coming stands in the control socket. The packet waits until the host has been told.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::net::IpAddr;
use std::os::fd::AsFd;

use ieum_control::{Channel, Name, Received as Heard};
use ieum_engine::{Interest, Notice, Ready, Room, Turn};
use ieum_stack::LinkId;
use ieum_wire::{Instant, Packet, ip};

use crate::bounds::FRAMES_PER_TURN_MAX;
use crate::counts::{Counts, Reason};
use crate::end::End;
use crate::message::{Known, Nonsense, Place, Word};
use crate::socket::{FrameSocket, Received, Sent};

/// Keys of this room's sources.
const CONTROL: u64 = 0;
const FRAMES: u64 = 1;

pub(crate) const READING: Interest = Interest { read: true, write: false, edge: false };
pub(crate) const READING_AND_WRITING: Interest = Interest { read: true, write: true, edge: false };

/// How the link stands.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum State {
    Up,
    /// The owner is gone. What it has sent before is still to be read.
    Ending,
    Down,
}

/// A member's end of a net.
#[derive(Debug)]
pub struct Member {
    channel: Channel,
    frames: FrameSocket,
    end: End,
    /// Who has which address, this host left out.
    neighbors: BTreeMap<IpAddr, Name>,
    state: State,
    /// Frames that may still be read in this turn.
    share: usize,
    /// A packet of somebody whose coming was found only when it had been read.
    held: Option<Packet>,
    /// The frame socket is watched for room.
    watches_room: bool,
    counts: Counts,
}

impl Member {
    pub(crate) fn new(
        net: &Name,
        place: &Place,
        peers: &[Known],
        host_link: LinkId,
        channel: Channel,
        frames: FrameSocket,
    ) -> Member {
        let mut end = End::new(net.clone(), host_link);
        end.named(&place.name, place.addresses.iter().map(|own| own.address()).collect());
        let mut member = Member {
            channel,
            frames,
            end,
            neighbors: BTreeMap::new(),
            state: State::Up,
            share: 0,
            held: None,
            watches_room: false,
            counts: Counts::default(),
        };
        peers.iter().for_each(|peer| member.came(peer));
        member
    }

    /// What was dropped, by reason.
    pub(crate) fn counts(&self) -> Vec<(&'static str, u64)> {
        self.counts.list()
    }

    fn came(&mut self, peer: &Known) {
        self.neighbors.extend(peer.addresses.iter().map(|address| (*address, peer.name.clone())));
        self.end.came(&peer.name, &peer.addresses);
    }

    fn left(&mut self, peer: &Known) {
        self.neighbors.retain(|address, _| !peer.addresses.contains(address));
        self.end.left(&peer.name, &peer.addresses);
    }

    /// Hears what the owner has to say.
    fn hear(&mut self) {
        while self.state == State::Up {
            let understood = match self.channel.receive::<Word>() {
                Ok(Heard::Message(word, _)) => self.take(word),
                Ok(Heard::Nothing) => return,
                Ok(Heard::End) => {
                    self.state = State::Ending;
                    Ok(())
                }
                Err(_) => Err(Nonsense),
            };
            if understood.is_err() {
                self.counts.count(Reason::Stranger);
                self.state = State::Ending;
            }
        }
    }

    fn take(&mut self, word: Word) -> Result<(), Nonsense> {
        match word {
            Word::Joined(peer) => self.came(&peer.understood()?),
            Word::Left(peer) => self.left(&peer.understood()?),
            Word::Welcome { .. } | Word::Refused { .. } => return Err(Nonsense),
        }
        Ok(())
    }

    /// The link leads nowhere from now on. The host learns it once, the name service of each name.
    fn go_down(&mut self, turn: &Turn<'_>) {
        if self.state == State::Down {
            return;
        }
        self.state = State::Down;
        turn.unwatch(self.channel.as_fd());
        turn.unwatch(self.frames.fd());
        self.end.down();
        let names: BTreeSet<Name> = std::mem::take(&mut self.neighbors).into_values().collect();
        names.iter().for_each(|name| self.end.named(name, Vec::new()));
    }

    /// The next packet of this turn's share.
    fn next(&mut self, turn: &Turn<'_>) -> Option<Packet> {
        while self.share > 0 && self.state != State::Down {
            match self.frames.receive() {
                Received::Frame(packet) => {
                    self.share -= 1;
                    return Some(packet);
                }
                Received::Nothing if self.state == State::Up => self.share = 0,
                Received::Garbage => {
                    self.counts.count(Reason::Stranger);
                    self.go_down(turn);
                }
                Received::Nothing | Received::Gone => self.go_down(turn),
            }
        }
        None
    }

    /// The frame socket is watched for room exactly while something waits for it.
    fn watch_room(&mut self, turn: &Turn<'_>) {
        let wanted = self.frames.wants_room();
        if wanted != self.watches_room {
            self.watches_room = wanted;
            // It fails only without memory; then what waits leaves with the next frame that is read.
            let _ =
                turn.rewatch(self.frames.fd(), FRAMES, if wanted { READING_AND_WRITING } else { READING });
        }
    }

    fn knows_sender(&self, packet: &Packet) -> bool {
        ip::parse(packet.bytes()).is_ok_and(|parsed| self.neighbors.contains_key(&parsed.header.source))
    }
}

impl Room for Member {
    fn start(&mut self, turn: &Turn<'_>) -> io::Result<()> {
        turn.watch(self.channel.as_fd(), CONTROL, READING)?;
        turn.watch(self.frames.fd(), FRAMES, READING)
    }

    fn on_ready(&mut self, turn: &Turn<'_>, key: u64, ready: Ready) {
        if key == CONTROL {
            self.hear();
        } else if ready.write && self.watches_room {
            self.counts.add(Reason::Overflow, self.frames.flush());
            self.watch_room(turn);
        }
        self.share = FRAMES_PER_TURN_MAX;
    }

    /// From the host.
    fn on_frame(&mut self, turn: &Turn<'_>, _link: LinkId, frame: Packet) {
        if self.state == State::Down {
            return self.counts.count(Reason::Gone);
        }
        match self.frames.send(frame) {
            Sent::Now => {}
            Sent::Later => self.watch_room(turn),
            Sent::Dropped => self.counts.count(Reason::Overflow),
            // Reading finds the end.
            Sent::Gone => self.counts.count(Reason::Gone),
        }
    }

    fn on_deadline(&mut self, _turn: &Turn<'_>) {}

    fn deadline(&self) -> Option<Instant> {
        None
    }

    fn settle(&mut self, _turn: &Turn<'_>) {}

    /// To the host.
    fn poll_frame(&mut self, turn: &Turn<'_>) -> Option<(LinkId, Packet)> {
        loop {
            if self.end.has_notices() {
                return None;
            }
            let packet = match self.held.take() {
                Some(packet) => packet,
                None => self.next(turn)?,
            };
            if self.knows_sender(&packet) {
                return Some((LinkId::default(), packet));
            }
            self.hear();
            if !self.end.has_notices() {
                // Of somebody who has left since: it was sent before that.
                return Some((LinkId::default(), packet));
            }
            self.held = Some(packet);
        }
    }

    fn poll_notice(&mut self) -> Option<Notice> {
        self.end.poll_notice()
    }

    fn on_notice(&mut self, _turn: &Turn<'_>, _notice: Notice) {}

    /// What the host has said last still waits here.
    fn is_unfinished(&self) -> bool {
        self.state == State::Up && self.frames.wants_room()
    }
}
