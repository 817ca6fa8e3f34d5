//! Datagrams from inside: each pair of source and destination is a flow with a connected kernel socket.
//!
//! A connected socket takes answers from its destination alone (RFC 4787 calls that address and port dependent
//! filtering), and is told of ICMP errors, which go back inside as ours. A flow lives as long as it is used.

use std::collections::{HashMap, VecDeque};
use std::net::SocketAddr;
use std::os::fd::{AsFd, OwnedFd};

use ieum_engine::Ready;
use ieum_stack::Datagram;
use ieum_wire::Instant;
use ieum_wire::Unreachable;
use rustix::io::Errno;
use rustix::net::{RecvFlags, SendFlags, SocketType, connect, recv, send};

use crate::bounds::{DATAGRAM_BYTES_MAX, DATAGRAM_FLOWS_MAX, DATAGRAM_IDLE, DATAGRAMS_PER_TURN_MAX};
use crate::counts::Reason;
use crate::idle::Idle;
use crate::kernel;
use crate::key::{Serial, Serials, Source};
use crate::stream::Context;
use crate::target::{Nowhere, Targets};

/// Who inside speaks to whom outside.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
struct Pair {
    source: SocketAddr,
    destination: SocketAddr,
}

/// One flow.
#[derive(Debug)]
struct Flow {
    socket: OwnedFd,
    pair: Pair,
    last_used: Instant,
    /// It stands in the queue of those to be read.
    queued: bool,
}

/// All flows.
#[derive(Debug)]
pub(crate) struct Datagrams {
    flows: HashMap<Serial, Flow>,
    by_pair: HashMap<Pair, Serial>,
    serials: Serials,
    idle: Idle<Serial>,
    /// Flows with something to read, each once.
    queue: VecDeque<Serial>,
    /// Where a datagram is received into.
    buffer: Vec<u8>,
}

impl Datagrams {
    /// No flows.
    pub(crate) fn new() -> Datagrams {
        Datagrams {
            flows: HashMap::new(),
            by_pair: HashMap::new(),
            serials: Serials::default(),
            idle: Idle::new(DATAGRAM_IDLE),
            queue: VecDeque::new(),
            buffer: vec![0; DATAGRAM_BYTES_MAX],
        }
    }

    /// A datagram came from inside.
    pub(crate) fn on_datagram(&mut self, cx: &mut Context<'_>, datagram: &Datagram, targets: &Targets) {
        let pair = Pair { source: datagram.source, destination: datagram.destination };
        let serial = match self.by_pair.get(&pair) {
            Some(serial) => *serial,
            None => match self.open(cx, pair, targets) {
                Ok(serial) => serial,
                Err((reason, answer)) => {
                    cx.counts.count(reason);
                    return refuse(cx, pair, answer);
                }
            },
        };
        let Some(flow) = self.flows.get_mut(&serial) else { return };
        self.idle.touch(cx.turn.now, serial, &mut flow.last_used);
        if let Err(error) = send_once_more(&flow.socket, &datagram.payload) {
            cx.counts.count(Reason::DatagramNotSent);
            refuse(cx, pair, answer_to(error));
        }
    }

    /// A flow's socket has something to read, or an error to tell.
    pub(crate) fn on_ready(&mut self, serial: Serial, ready: Ready) {
        if (ready.read || ready.error || ready.hangup)
            && let Some(flow) = self.flows.get_mut(&serial)
            && !flow.queued
        {
            flow.queued = true;
            self.queue.push_back(serial);
        }
    }

    /// Takes what waits outside, a share of each flow.
    pub(crate) fn settle(&mut self, cx: &mut Context<'_>) {
        for _ in 0..self.queue.len() {
            let Some(serial) = self.queue.pop_front() else { return };
            let Some(flow) = self.flows.get_mut(&serial) else { continue };
            self.idle.touch(cx.turn.now, serial, &mut flow.last_used);
            flow.queued = receive(cx, &flow.socket, flow.pair, &mut self.buffer);
            if flow.queued {
                self.queue.push_back(serial);
            }
        }
    }

    /// Flows wait for their turn.
    pub(crate) fn has_work(&self) -> bool {
        !self.queue.is_empty()
    }

    /// When the next flow has been unused for too long.
    pub(crate) fn deadline(&self) -> Option<Instant> {
        self.idle.deadline()
    }

    /// Unused flows end.
    pub(crate) fn on_deadline(&mut self, now: Instant) {
        while let Some(serial) = self.idle.due(now) {
            self.remove(serial);
        }
    }

    fn open(
        &mut self,
        cx: &mut Context<'_>,
        pair: Pair,
        targets: &Targets,
    ) -> Result<Serial, (Reason, Option<Unreachable>)> {
        let target = targets.of(pair.destination).map_err(|nowhere| match nowhere {
            Nowhere::Closed => (Reason::NotAllowed, Some(Unreachable::Port)),
            Nowhere::Unreachable(reason) => (Reason::NotAllowed, Some(reason)),
        })?;
        let socket = kernel::socket(SocketType::DGRAM).map_err(|_| (Reason::NoDescriptor, None))?;
        connect(&socket, &target).map_err(|error| (Reason::DatagramNotSent, answer_to(error)))?;
        let serial = self.serials.next();
        cx.turn
            .watch(socket.as_fd(), Source::Datagram(serial).key(), kernel::READ)
            .map_err(|_| (Reason::NoDescriptor, None))?;
        if self.idle.len() >= DATAGRAM_FLOWS_MAX
            && let Some(oldest) = self.idle.oldest()
        {
            cx.counts.count(Reason::FlowEvicted);
            self.remove(oldest);
        }
        let now = cx.turn.now;
        self.idle.insert(now, serial);
        self.by_pair.insert(pair, serial);
        self.flows.insert(serial, Flow { socket, pair, last_used: now, queued: false });
        Ok(serial)
    }

    fn remove(&mut self, serial: Serial) {
        if let Some(flow) = self.flows.remove(&serial) {
            self.by_pair.remove(&flow.pair);
            self.idle.remove(serial, flow.last_used);
        }
    }
}

/// Answers go inside as from the destination. True when the share is used up before the socket is empty.
fn receive(cx: &mut Context<'_>, socket: &OwnedFd, pair: Pair, buffer: &mut [u8]) -> bool {
    for _ in 0..DATAGRAMS_PER_TURN_MAX {
        match recv(socket, &mut *buffer, RecvFlags::DONTWAIT) {
            Ok((count, _)) => {
                let payload = &buffer[..count];
                if cx.stack.udp_send_from(cx.turn.now, pair.destination, pair.source, payload).is_err() {
                    cx.counts.count(Reason::DatagramNotTaken);
                }
            }
            Err(Errno::AGAIN) => return false,
            Err(Errno::INTR) => {}
            // An ICMP error, told once.
            Err(error) => refuse(cx, pair, answer_to(error)),
        }
    }
    true
}

/// A socket tells an ICMP error of an earlier datagram instead of sending this one: which is then sent after all.
fn send_once_more(socket: &OwnedFd, payload: &[u8]) -> Result<(), Errno> {
    let flags = SendFlags::DONTWAIT | SendFlags::NOSIGNAL;
    let sent = send(socket, payload, flags);
    let sent = if sent == Err(Errno::CONNREFUSED) { send(socket, payload, flags) } else { sent };
    sent.map(drop)
}

/// The ICMP error that tells the inside what the kernel has told us; `None` where silence says it.
fn answer_to(error: Errno) -> Option<Unreachable> {
    if error == Errno::CONNREFUSED { Some(Unreachable::Port) } else { kernel::unreachable(error) }
}

fn refuse(cx: &mut Context<'_>, pair: Pair, reason: Option<Unreachable>) {
    if let Some(reason) = reason {
        cx.stack.udp_refuse(pair.source, pair.destination, reason);
    }
}
