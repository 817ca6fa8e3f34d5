//! Connections: each a flow between a kernel socket and a connection of our stack.
//!
//! ```text
//!   request → Reaching ── connect succeeded → Answering ── accepted → Joined → gone
//!                 └ failed, given up: gone        └ given up: gone
//!   accept(2) → Entering ── established → Joined
//!                 └ refused: RST outside, gone
//! ```
//!
//! Something that happens to a flow only puts it into the queue of those to be looked at; [`Streams::settle`] looks at
//! each once a turn.
//!
//! Files: `open`, how flows begin; `pump`, how bytes and ends pass.

use std::collections::{BTreeSet, HashMap, VecDeque};
use std::net::SocketAddr;
use std::os::fd::{AsFd, OwnedFd};

use ieum_engine::{Ready, Serial, Serials, Turn};
use ieum_stack::{ConnectionId, HalfOpenId, Stack, TcpSettings};
use ieum_wire::Instant;
use slotmap::SecondaryMap;

use crate::bounds::{HANDSHAKE_CHECK_INTERVAL, STREAM_FLOWS_MAX};
use crate::counts::{Counts, Reason};
use crate::kernel;
use crate::key::Source;

mod open;
mod pump;

use pump::{Joined, Verdict};

/// What a flow may use while something happens to it.
pub(crate) struct Context<'a> {
    /// The time, and the door to the engine's sources.
    pub(crate) turn: &'a Turn<'a>,
    /// The exit's end of the connections.
    pub(crate) stack: &'a mut Stack,
    /// Takes what was refused.
    pub(crate) counts: &'a mut Counts,
}

/// How connections on the link are set: a relay adds no delay of its own.
pub(crate) fn settings() -> TcpSettings {
    TcpSettings { no_delay: true, ..TcpSettings::default() }
}

/// What the kernel's socket has told and not yet taken back by EAGAIN.
#[derive(Clone, Copy, Debug, Default)]
struct Edges {
    readable: bool,
    writable: bool,
}

/// Where a flow stands.
#[derive(Debug)]
enum Stage {
    /// The kernel connects; the inside's SYN waits.
    Reaching(HalfOpenId),
    /// Connected outside; our SYN-ACK is on its way.
    Answering(HalfOpenId),
    /// Connected from outside; our SYN is on its way.
    Entering(ConnectionId),
    /// Bytes pass.
    Joined(Joined),
}

/// One connection, both halves.
#[derive(Debug)]
struct Flow {
    socket: OwnedFd,
    edges: Edges,
    stage: Stage,
    /// The inside's view: our address and port, and its own.
    tuple: (SocketAddr, SocketAddr),
    /// It stands in the queue.
    queued: bool,
}

/// All connections.
#[derive(Debug, Default)]
pub(crate) struct Streams {
    flows: HashMap<Serial, Flow>,
    serials: Serials,
    by_connection: SecondaryMap<ConnectionId, Serial>,
    /// Flows that wait for the inside's handshake, by tuple.
    answering: HashMap<(SocketAddr, SocketAddr), Serial>,
    /// Flows whose request may vanish.
    handshakes: BTreeSet<Serial>,
    check_at: Option<Instant>,
    /// Flows to be looked at, each once.
    queue: VecDeque<Serial>,
}

impl Streams {
    /// No more connections can be had.
    pub(crate) fn is_full(&self) -> bool {
        self.flows.len() >= STREAM_FLOWS_MAX
    }

    /// The kernel's socket is ready.
    pub(crate) fn on_ready(&mut self, serial: Serial, ready: Ready) {
        let Some(flow) = self.flows.get_mut(&serial) else { return };
        flow.edges.readable |= ready.read || ready.read_hangup || ready.hangup || ready.error;
        flow.edges.writable |= ready.write || ready.hangup || ready.error;
        self.enqueue(serial);
    }

    /// Something happened to our end.
    pub(crate) fn on_connection(&mut self, id: ConnectionId) {
        if let Some(serial) = self.by_connection.get(id) {
            self.enqueue(*serial);
        }
    }

    /// Looks at each flow in the queue once; those that used up their share stand in it again.
    pub(crate) fn settle(&mut self, cx: &mut Context<'_>) {
        for _ in 0..self.queue.len() {
            let Some(serial) = self.queue.pop_front() else { return };
            let Some(flow) = self.flows.get_mut(&serial) else { continue };
            flow.queued = false;
            match flow.stage {
                Stage::Reaching(request) => self.reached(cx, serial, request),
                Stage::Entering(connection) => self.entered(cx, serial, connection),
                Stage::Answering(_) | Stage::Joined(_) => {}
            }
            self.pump(cx, serial);
        }
    }

    /// Flows wait for their turn.
    pub(crate) fn has_work(&self) -> bool {
        !self.queue.is_empty()
    }

    /// When unfinished handshakes are to be looked at.
    pub(crate) fn deadline(&self) -> Option<Instant> {
        self.check_at
    }

    /// Handshakes that the inside gave up take their kernel sockets along. Every event of the stack has been heard.
    pub(crate) fn on_deadline(&mut self, cx: &mut Context<'_>) {
        if self.check_at.is_none_or(|at| cx.turn.now < at) {
            return;
        }
        self.drop_given_up(cx, true);
        self.check_at = (!self.handshakes.is_empty()).then(|| cx.turn.now + HANDSHAKE_CHECK_INTERVAL);
    }

    /// Nobody tells that the inside gave a handshake up: its request is just not there any more. One that we have
    /// answered looks the same when it ended well, so those are judged only when every event of the stack was heard.
    fn drop_given_up(&mut self, cx: &mut Context<'_>, heard_all: bool) {
        let vanished = |serial: &Serial| match self.flows.get(serial).map(|flow| &flow.stage) {
            Some(Stage::Reaching(id)) => cx.stack.request(*id).is_none(),
            Some(Stage::Answering(id)) => heard_all && cx.stack.request(*id).is_none(),
            Some(Stage::Entering(_) | Stage::Joined(_)) | None => false,
        };
        let vanished: Vec<_> = self.handshakes.iter().copied().filter(vanished).collect();
        for serial in vanished {
            cx.counts.count(Reason::GivenUp);
            self.reset(serial);
        }
    }

    /// Bytes from inside have not yet reached the kernel, or an end has not reached the inside.
    pub(crate) fn is_unfinished(&self, stack: &Stack) -> bool {
        self.flows.values().any(|flow| match &flow.stage {
            Stage::Joined(joined) => joined.owes_outside(stack),
            Stage::Reaching(_) | Stage::Answering(_) | Stage::Entering(_) => false,
        })
    }

    /// Moves bytes and ends of a joined flow.
    fn pump(&mut self, cx: &mut Context<'_>, serial: Serial) {
        let Some(flow) = self.flows.get_mut(&serial) else { return };
        let Stage::Joined(joined) = &mut flow.stage else { return };
        let connection = joined.connection;
        match joined.pump(cx.turn.now, cx.stack, &flow.socket, &mut flow.edges) {
            Verdict::Stay => {}
            Verdict::More => self.enqueue(serial),
            Verdict::Over => {
                self.remove(serial);
                cx.stack.tcp_close(cx.turn.now, connection);
            }
            Verdict::ResetInside => {
                self.remove(serial);
                cx.stack.tcp_abort(cx.turn.now, connection);
            }
            Verdict::ResetOutside => {
                self.reset(serial);
                cx.stack.tcp_close(cx.turn.now, connection);
            }
        }
    }

    fn enqueue(&mut self, serial: Serial) {
        if let Some(flow) = self.flows.get_mut(&serial)
            && !flow.queued
        {
            flow.queued = true;
            self.queue.push_back(serial);
        }
    }

    /// A new flow, to be looked at.
    fn insert(
        &mut self,
        cx: &mut Context<'_>,
        socket: OwnedFd,
        tuple: (SocketAddr, SocketAddr),
        stage: Stage,
    ) -> Result<Serial, OwnedFd> {
        let serial = self.serials.next();
        if cx.turn.watch(socket.as_fd(), Source::Stream(serial).key(), kernel::BOTH).is_err() {
            cx.counts.count(Reason::NoDescriptor);
            return Err(socket);
        }
        let flow = Flow { socket, edges: Edges::default(), stage, tuple, queued: false };
        self.flows.insert(serial, flow);
        Ok(serial)
    }

    /// A flow is gone, and its kernel's peer is told by a RST.
    fn reset(&mut self, serial: Serial) {
        if let Some(socket) = self.remove(serial) {
            kernel::reset(socket);
        }
    }

    /// A flow is gone; its kernel socket closes when it is dropped.
    fn remove(&mut self, serial: Serial) -> Option<OwnedFd> {
        let flow = self.flows.remove(&serial)?;
        match flow.stage {
            Stage::Reaching(_) => {
                self.handshakes.remove(&serial);
            }
            Stage::Answering(_) => {
                self.handshakes.remove(&serial);
                self.answering.remove(&flow.tuple);
            }
            Stage::Entering(connection) | Stage::Joined(Joined { connection, .. }) => {
                self.by_connection.remove(connection);
            }
        }
        Some(flow.socket)
    }
}
