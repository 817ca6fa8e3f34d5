//! A published UDP port: each peer outside has an endpoint of ours inside, so that answers find their way back.

use std::collections::{HashMap, VecDeque};
use std::net::{IpAddr, SocketAddr};
use std::os::fd::{AsFd, OwnedFd};

use ieum_engine::complain;
use ieum_stack::{BindRequest, Stack, UdpId};
use ieum_wire::Instant;
use rustix::io::Errno;
use rustix::net::{RecvFlags, SendFlags, SocketType, recvfrom, sendto};
use slotmap::SecondaryMap;

use super::{Publish, PublishError, Published, Servers, reserve};
use crate::bounds::{DATAGRAM_BYTES_MAX, DATAGRAM_FLOWS_MAX, DATAGRAM_IDLE, DATAGRAMS_PER_TURN_MAX};
use crate::counts::Reason;
use crate::idle::Idle;
use crate::kernel;
use crate::key::Source;
use crate::stream::Context;

/// A peer outside.
#[derive(Debug)]
struct Peer {
    address: SocketAddr,
    last_used: Instant,
}

/// A published UDP port.
#[derive(Debug)]
pub(crate) struct DatagramPort {
    socket: OwnedFd,
    asked: Publish,
    outside: SocketAddr,
    inside: SocketAddr,
    /// Our own address inside.
    own: IpAddr,
    servers: Servers,
    /// The user knows that it could not be opened, or not be closed: said once.
    has_complained: bool,
    readable: bool,
    peers: SecondaryMap<UdpId, Peer>,
    endpoints: HashMap<SocketAddr, UdpId>,
    idle: Idle<UdpId>,
    /// Endpoints with answers, in the order in which they came.
    answered: VecDeque<UdpId>,
    buffer: Vec<u8>,
}

impl DatagramPort {
    /// Reserves the port.
    pub(crate) fn reserve(wish: &Publish, host: IpAddr, own: IpAddr) -> Result<DatagramPort, PublishError> {
        let (socket, outside) = reserve::reserve(SocketType::DGRAM, wish.outside)?;
        reserve::close_datagram(&socket, outside)
            .map_err(|error| PublishError::Other(outside, error.into()))?;
        Ok(DatagramPort {
            socket,
            asked: *wish,
            outside,
            inside: SocketAddr::new(host, wish.inside_port),
            own,
            servers: Servers::default(),
            has_complained: false,
            readable: false,
            peers: SecondaryMap::new(),
            endpoints: HashMap::new(),
            idle: Idle::new(DATAGRAM_IDLE),
            answered: VecDeque::new(),
            buffer: vec![0; DATAGRAM_BYTES_MAX],
        })
    }

    /// What is published here.
    pub(crate) fn published(&self) -> Published {
        Published { asked: self.asked, outside: self.outside }
    }

    /// Where its datagrams go.
    pub(crate) fn inside(&self) -> SocketAddr {
        self.inside
    }

    /// Registers the socket, once.
    pub(crate) fn start(&self, turn: &ieum_engine::Turn<'_>, index: usize) -> std::io::Result<()> {
        turn.watch(self.socket.as_fd(), Source::Published(index).key(), kernel::READ)
    }

    /// One more socket inside has the port, or one less.
    pub(crate) fn on_serving(&mut self, cx: &mut Context<'_>, serving: bool) {
        if !self.servers.change(serving) {
            return;
        }
        let changed = if serving {
            reserve::open_datagram(&self.socket)
        } else {
            reserve::close_datagram(&self.socket, self.outside)
        };
        if let Err(error) = changed {
            cx.counts.count(Reason::PublishedNotListening);
            // The program may try as often as it likes; the count goes on.
            if !std::mem::replace(&mut self.has_complained, true) {
                complain(&format!("cannot serve {}: {}", self.outside, std::io::Error::from(error)));
            }
        }
    }

    /// Datagrams wait outside.
    pub(crate) fn on_ready(&mut self) {
        self.readable = true;
    }

    /// Something happened to an endpoint; true when it is one of this port's.
    pub(crate) fn on_endpoint(&mut self, id: UdpId) -> bool {
        let ours = self.peers.contains_key(id);
        if ours {
            self.answered.push_back(id);
        }
        ours
    }

    /// Takes a share of what waits, both ways.
    pub(crate) fn settle(&mut self, cx: &mut Context<'_>) {
        while let Some(id) = self.answered.pop_front() {
            self.answer(cx, id);
        }
        for _ in 0..DATAGRAMS_PER_TURN_MAX {
            if !self.readable {
                return;
            }
            match recvfrom(&self.socket, &mut self.buffer[..], RecvFlags::DONTWAIT) {
                Ok((count, _, from)) => {
                    if let Some(from) = from.and_then(|from| SocketAddr::try_from(from).ok()) {
                        self.enter(cx, from, count);
                    }
                }
                Err(Errno::AGAIN) => self.readable = false,
                // An ICMP error about an answer of ours: its peer is gone, which is its own affair.
                Err(_) => {}
            }
        }
    }

    /// More waits than one turn's share.
    pub(crate) fn has_work(&self) -> bool {
        self.readable || !self.answered.is_empty()
    }

    /// When the next peer has been silent for too long.
    pub(crate) fn deadline(&self) -> Option<Instant> {
        self.idle.deadline()
    }

    /// Silent peers are forgotten.
    pub(crate) fn on_deadline(&mut self, now: Instant, stack: &mut Stack) {
        while let Some(id) = self.idle.due(now) {
            self.forget(stack, id);
        }
    }

    /// `count` bytes of the buffer came from a peer outside.
    fn enter(&mut self, cx: &mut Context<'_>, from: SocketAddr, count: usize) {
        let id = match self.endpoints.get(&from) {
            Some(id) => *id,
            None => match self.endpoint(cx, from) {
                Some(id) => id,
                None => return cx.counts.count(Reason::DatagramNotTaken),
            },
        };
        self.touch(cx.turn.now, id);
        if cx.stack.udp_send(cx.turn.now, id, self.inside, &self.buffer[..count]).is_err() {
            cx.counts.count(Reason::DatagramNotTaken);
        }
    }

    /// A port of ours for a new peer.
    fn endpoint(&mut self, cx: &mut Context<'_>, peer: SocketAddr) -> Option<UdpId> {
        if self.idle.count() >= DATAGRAM_FLOWS_MAX
            && let Some(oldest) = self.idle.oldest()
        {
            cx.counts.count(Reason::FlowEvicted);
            self.forget(cx.stack, oldest);
        }
        let request = BindRequest::new(self.own, 0);
        let id = cx.stack.udp_bind(request).ok()?;
        if cx.stack.udp_connect(id, Some(self.inside)).is_err() {
            // It must not keep its port: there are fewer of them than datagrams may come.
            cx.stack.udp_close(id);
            return None;
        }
        self.endpoints.insert(peer, id);
        self.peers.insert(id, Peer { address: peer, last_used: cx.turn.now });
        self.idle.insert(cx.turn.now, id);
        Some(id)
    }

    /// Answers of the inside go to their peer.
    fn answer(&mut self, cx: &mut Context<'_>, id: UdpId) {
        self.touch(cx.turn.now, id);
        let Some(peer) = self.peers.get(id) else { return };
        while let Some(datagram) = cx.stack.udp_recv(id) {
            if sendto(&self.socket, &datagram.payload, SendFlags::DONTWAIT, &peer.address).is_err() {
                cx.counts.count(Reason::DatagramNotSent);
            }
        }
        // Nobody inside: the machine's kernel has no way to let us say so, and the peer takes it for silence.
        let _ = cx.stack.udp_take_error(id);
    }

    fn touch(&mut self, now: Instant, id: UdpId) {
        if let Some(peer) = self.peers.get_mut(id) {
            self.idle.touch(now, id, &mut peer.last_used);
        }
    }

    fn forget(&mut self, stack: &mut Stack, id: UdpId) {
        if let Some(peer) = self.peers.remove(id) {
            self.endpoints.remove(&peer.address);
            self.idle.remove(id, peer.last_used);
            stack.udp_close(id);
        }
    }
}
