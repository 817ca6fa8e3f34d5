//! Datagrams from inside: each pair of source and destination is a flow with a connected kernel socket.
//!
//! A connected socket takes answers from its destination alone (RFC 4787 calls that address and port dependent
//! filtering), and is told of ICMP errors, which go back inside as ours. A flow lives as long as it is used.
//!
//! Questions to name servers go by the name service first. Those that it does not answer are a flow like any other; but
//! where it is the last word ([`Waiting`]), they are put to one server after the other, and the last failure is an answer.

use std::collections::{HashMap, VecDeque};
use std::net::SocketAddr;
use std::os::fd::{AsFd, OwnedFd};

use ieum_engine::{Ready, Serial, Serials};
use ieum_stack::Datagram;
use ieum_wire::Instant;
use ieum_wire::Unreachable;
use rustix::io::Errno;
use rustix::net::{RecvFlags, SendFlags, recv, send};

use crate::bounds::{DATAGRAM_BYTES_MAX, DATAGRAM_FLOWS_MAX, DATAGRAM_IDLE, DATAGRAMS_PER_TURN_MAX};
use crate::counts::Reason;
use crate::idle::Idle;
use crate::kernel;
use crate::key::Source;
use crate::name_service::{self, NameService, Verdict, Waiting};
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
    /// Questions, where the name service is the last word.
    waiting: Option<Waiting>,
    /// It stands in the queue of those to be read.
    queued: bool,
}

/// Why there is no flow: the reason that is counted, and what tells the inside.
type Refused = (Reason, Option<Unreachable>);

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
    pub(crate) fn on_datagram(
        &mut self,
        cx: &mut Context<'_>,
        datagram: &Datagram,
        targets: &Targets,
        names: &NameService,
    ) {
        let pair = Pair { source: datagram.source, destination: datagram.destination };
        if names.hears(pair.destination, targets)
            && let Verdict::Answered(answer) = names.judge(&datagram.payload)
        {
            return tell(cx, pair, &answer);
        }
        let serial = match self.by_pair.get(&pair) {
            Some(serial) => *serial,
            None => match self.open(cx, pair, targets, names.relays(pair.destination, targets)) {
                Ok(serial) => serial,
                Err((reason, answer)) => {
                    cx.counts.count(reason);
                    let relayed = names.relays(pair.destination, targets).is_some();
                    return match name_service::failure(&datagram.payload).filter(|_| relayed) {
                        Some(failure) => tell(cx, pair, &failure),
                        None => refuse(cx, pair, answer),
                    };
                }
            },
        };
        let Some(flow) = self.flows.get_mut(&serial) else { return };
        self.idle.touch(cx.turn.now, serial, &mut flow.last_used);
        if let Some(waiting) = &mut flow.waiting {
            // What is too long to be remembered is sent all the same.
            let _remembered = waiting.asked(&datagram.payload);
        }
        let (earlier, sent) = send_past_error(&flow.socket, &datagram.payload);
        if let Some(error) = earlier {
            kernel::forget_errors(&flow.socket);
            flow.failed(cx, serial, error);
        }
        if let Err(error) = sent {
            cx.counts.count(Reason::DatagramNotSent);
            flow.failed(cx, serial, error);
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
            flow.queued = flow.receive(cx, serial, &mut self.buffer);
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
        mut waiting: Option<Waiting>,
    ) -> Result<Serial, Refused> {
        let socket = match &mut waiting {
            Some(waiting) => first_of(waiting).ok_or((Reason::NotAllowed, None))?,
            None => {
                let target = targets.of(pair.destination).map_err(|nowhere| match nowhere {
                    Nowhere::Closed => (Reason::NotAllowed, Some(Unreachable::Port)),
                    Nowhere::Unreachable(reason) => (Reason::NotAllowed, Some(reason)),
                })?;
                kernel::connect_flow(target).map_err(judge)?
            }
        };
        let serial = self.serials.next();
        watch(cx, &socket, serial).map_err(|_| (Reason::NoDescriptor, None))?;
        if self.idle.count() >= DATAGRAM_FLOWS_MAX
            && let Some(oldest) = self.idle.oldest()
        {
            cx.counts.count(Reason::FlowEvicted);
            self.remove(oldest);
        }
        let now = cx.turn.now;
        self.idle.insert(now, serial);
        self.by_pair.insert(pair, serial);
        self.flows.insert(serial, Flow { socket, pair, last_used: now, waiting, queued: false });
        Ok(serial)
    }

    fn remove(&mut self, serial: Serial) {
        if let Some(flow) = self.flows.remove(&serial) {
            self.by_pair.remove(&flow.pair);
            self.idle.remove(serial, flow.last_used);
        }
    }
}

impl Flow {
    /// Answers go inside as from the destination. True when the share is used up before the socket is empty.
    fn receive(&mut self, cx: &mut Context<'_>, serial: Serial, buffer: &mut [u8]) -> bool {
        for _ in 0..DATAGRAMS_PER_TURN_MAX {
            match recv(&self.socket, &mut *buffer, RecvFlags::DONTWAIT) {
                Ok((count, _)) => {
                    let payload = &buffer[..count];
                    if let Some(waiting) = &mut self.waiting {
                        waiting.answered(payload);
                    }
                    tell(cx, self.pair, payload);
                }
                Err(Errno::AGAIN) => return false,
                Err(Errno::INTR) => {}
                // An ICMP error, told once.
                Err(error) => {
                    kernel::forget_errors(&self.socket);
                    self.failed(cx, serial, error);
                }
            }
        }
        true
    }

    /// The kernel could not send, or an ICMP error came: the next server is asked, or the inside is told.
    fn failed(&mut self, cx: &mut Context<'_>, serial: Serial, error: Errno) {
        let answer = answer_to(error);
        let Some(waiting) = self.waiting.as_mut().filter(|_| answer.is_some()) else {
            return refuse(cx, self.pair, answer);
        };
        while let Some(socket) = first_of(waiting) {
            if watch(cx, &socket, serial).is_ok() {
                // The one before is closed, and what it still had to tell goes with it.
                self.socket = socket;
                for question in waiting.questions() {
                    // Should this one be away too, that is told as an error of its socket.
                    let _ = send_past_error(&self.socket, question);
                }
                return;
            }
        }
        waiting.failures().iter().for_each(|failure| tell(cx, self.pair, failure));
    }
}

/// A socket whose peer is the next server that can be asked at all.
fn first_of(waiting: &mut Waiting) -> Option<OwnedFd> {
    std::iter::from_fn(|| waiting.next_server()).find_map(|server| kernel::connect_flow(server).ok())
}

fn watch(cx: &Context<'_>, socket: &OwnedFd, serial: Serial) -> std::io::Result<()> {
    cx.turn.watch(socket.as_fd(), Source::Datagram(serial).key(), kernel::READ)
}

/// An answer goes inside, as from the destination.
fn tell(cx: &mut Context<'_>, pair: Pair, payload: &[u8]) {
    if cx.stack.udp_send_from(cx.turn.now, pair.destination, pair.source, payload).is_err() {
        cx.counts.count(Reason::DatagramNotTaken);
    }
}

/// A socket tells an ICMP error of an earlier datagram instead of sending this one, which is then sent after all: that error,
/// and what became of this one.
fn send_past_error(socket: &OwnedFd, payload: &[u8]) -> (Option<Errno>, Result<(), Errno>) {
    let flags = SendFlags::DONTWAIT | SendFlags::NOSIGNAL;
    match send(socket, payload, flags) {
        Ok(_) => (None, Ok(())),
        Err(Errno::AGAIN) => (None, Err(Errno::AGAIN)),
        // It may be this one's own: then it is told once more.
        Err(error) => match send(socket, payload, flags) {
            Ok(_) => (Some(error), Ok(())),
            Err(error) => (None, Err(error)),
        },
    }
}

/// What a failed connect counts as, and what tells the inside of it.
fn judge(error: Errno) -> Refused {
    if kernel::is_shortage(error) {
        (Reason::NoDescriptor, None)
    } else {
        (Reason::DatagramNotSent, answer_to(error))
    }
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
