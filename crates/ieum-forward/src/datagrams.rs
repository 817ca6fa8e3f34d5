//! Datagrams: each sender of each port is an association with a connected socket of its own.
//!
//! A connected socket takes answers from the target alone (RFC 4787 §5 calls that address and port dependent filtering),
//! and is told of ICMP errors. Those are counted and go no further: the kernel lets nobody say on a socket's behalf that
//! a port is closed, so a sender takes a refusal for silence. Where a rule listens on an unspecified address, answers leave
//! with the address that the kernel's routes choose.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::net::SocketAddr;
use std::os::fd::{AsFd, OwnedFd};

use ieum_engine::{Serial, Serials, Turn};
use ieum_exit::{Idle, kernel};
use ieum_wire::Instant;
use rustix::io::{Errno, read, write};
use rustix::net::{RecvFlags, SendFlags, recvfrom, sendto};

use crate::bounds::{
    ASSOCIATION_IDLE, ASSOCIATIONS_MAX, DATAGRAM_BYTES_MAX, DATAGRAMS_PER_TURN_MAX, WAITING_DATAGRAMS_MAX,
};
use crate::dial::Outcome;
use crate::forwarder::RuleId;
use crate::key::Source;
use crate::streams::Context;

/// A socket that datagrams come to.
#[derive(Debug)]
struct Port {
    rule: RuleId,
    socket: OwnedFd,
    readable: bool,
}

/// One sender.
#[derive(Debug)]
struct Association {
    rule: RuleId,
    port: Serial,
    sender: SocketAddr,
    stage: Stage,
    last_used: Instant,
    queued: bool,
}

#[derive(Debug)]
enum Stage {
    /// Where it leads is being looked up; what came meanwhile waits.
    Reaching { attempt: Serial, waiting: Vec<Vec<u8>> },
    /// Datagrams pass.
    Joined(OwnedFd),
}

/// All datagrams.
#[derive(Debug)]
pub(crate) struct Datagrams {
    ports: BTreeMap<Serial, Port>,
    associations: BTreeMap<Serial, Association>,
    by_sender: HashMap<(Serial, SocketAddr), Serial>,
    reaching: HashMap<Serial, Serial>,
    serials: Serials,
    idle: Idle<Serial>,
    /// Associations with answers, each once.
    queue: VecDeque<Serial>,
    buffer: Vec<u8>,
}

impl Datagrams {
    pub(crate) fn new() -> Datagrams {
        Datagrams {
            ports: BTreeMap::new(),
            associations: BTreeMap::new(),
            by_sender: HashMap::new(),
            reaching: HashMap::new(),
            serials: Serials::default(),
            idle: Idle::new(ASSOCIATION_IDLE),
            queue: VecDeque::new(),
            buffer: vec![0; DATAGRAM_BYTES_MAX],
        }
    }

    /// Takes datagrams from all of these sockets, or, if one cannot be watched, from none: they are closed then.
    pub(crate) fn open(
        &mut self,
        turn: &Turn<'_>,
        rule: RuleId,
        sockets: Vec<OwnedFd>,
    ) -> std::io::Result<()> {
        let watched = sockets.into_iter().map(|socket| {
            let serial = self.serials.next();
            turn.watch(socket.as_fd(), Source::DatagramPort(serial).key(), kernel::READ)?;
            Ok((serial, Port { rule, socket, readable: true }))
        });
        let ports = watched.collect::<std::io::Result<Vec<_>>>()?;
        self.ports.extend(ports);
        Ok(())
    }

    /// Ceases to take datagrams for a rule. Its associations end: they have no end of their own.
    pub(crate) fn close(&mut self, cx: &mut Context<'_>, rule: RuleId) {
        self.ports.retain(|_, port| {
            let stays = port.rule != rule;
            if !stays {
                // It may live on for the rule that comes in its place.
                cx.turn.unwatch(port.socket.as_fd());
            }
            stays
        });
        let of_rule =
            |(serial, association): (&Serial, &Association)| (association.rule == rule).then_some(*serial);
        for serial in self.associations.iter().filter_map(of_rule).collect::<Vec<_>>() {
            self.remove(cx, serial);
        }
    }

    /// Those of a rule that leads elsewhere from now on end: the next datagram of each sender begins a new one.
    pub(crate) fn renew(&mut self, cx: &mut Context<'_>, rule: RuleId) {
        let of_rule =
            |(serial, association): (&Serial, &Association)| (association.rule == rule).then_some(*serial);
        for serial in self.associations.iter().filter_map(of_rule).collect::<Vec<_>>() {
            self.remove(cx, serial);
        }
    }

    pub(crate) fn on_port(&mut self, serial: Serial) {
        if let Some(port) = self.ports.get_mut(&serial) {
            port.readable = true;
        }
    }

    pub(crate) fn on_association(&mut self, serial: Serial) {
        if let Some(association) = self.associations.get_mut(&serial)
            && !association.queued
        {
            association.queued = true;
            self.queue.push_back(serial);
        }
    }

    /// An attempt ended; the outcome comes back if it is none of these associations'.
    pub(crate) fn on_reached(
        &mut self,
        cx: &mut Context<'_>,
        attempt: Serial,
        outcome: Outcome,
    ) -> Option<Outcome> {
        let Some(serial) = self.reaching.remove(&attempt) else { return Some(outcome) };
        let association = self.associations.get_mut(&serial)?;
        let rule = association.rule;
        let watched = outcome.and_then(|socket| {
            let watched = cx.turn.watch(socket.as_fd(), Source::Association(serial).key(), kernel::READ);
            watched.map(|()| socket).map_err(|_| Errno::NOMEM)
        });
        match watched {
            Ok(socket) => {
                let before = std::mem::replace(&mut association.stage, Stage::Joined(socket));
                if let Stage::Reaching { waiting, .. } = before {
                    waiting.iter().for_each(|payload| association.pass_on(cx, payload));
                }
            }
            Err(_) => {
                cx.leads.count(rule, |counts| counts.refused += 1);
                self.remove(cx, serial);
            }
        }
        None
    }

    /// Takes a share of what waits, both ways.
    pub(crate) fn settle(&mut self, cx: &mut Context<'_>) {
        let readable = |(serial, port): (&Serial, &Port)| port.readable.then_some(*serial);
        for serial in self.ports.iter().filter_map(readable).collect::<Vec<_>>() {
            self.take(cx, serial);
        }
        for _ in 0..self.queue.len() {
            let Some(serial) = self.queue.pop_front() else { return };
            self.answer(cx, serial);
        }
    }

    pub(crate) fn has_work(&self) -> bool {
        !self.queue.is_empty() || self.ports.values().any(|port| port.readable)
    }

    pub(crate) fn deadline(&self) -> Option<Instant> {
        self.idle.deadline()
    }

    /// Unused associations end.
    pub(crate) fn on_deadline(&mut self, cx: &mut Context<'_>) {
        while let Some(serial) = self.idle.due(cx.turn.now) {
            self.remove(cx, serial);
        }
    }

    fn take(&mut self, cx: &mut Context<'_>, port_serial: Serial) {
        for _ in 0..DATAGRAMS_PER_TURN_MAX {
            let Some(port) = self.ports.get_mut(&port_serial) else { return };
            let rule = port.rule;
            match recvfrom(&port.socket, &mut self.buffer[..], RecvFlags::DONTWAIT) {
                Ok((count, _, from)) => {
                    let Some(from) = from.and_then(|from| SocketAddr::try_from(from).ok()) else { continue };
                    let serial = match self.by_sender.get(&(port_serial, from)) {
                        Some(serial) => *serial,
                        None => match self.begin(cx, rule, port_serial, from) {
                            Some(serial) => serial,
                            None => continue,
                        },
                    };
                    let Some(association) = self.associations.get_mut(&serial) else { continue };
                    self.idle.touch(cx.turn.now, serial, &mut association.last_used);
                    association.pass_on(cx, &self.buffer[..count]);
                }
                Err(Errno::AGAIN) => port.readable = false,
                // An ICMP error about an answer of ours: its sender is gone, which is its own affair.
                Err(_) => {}
            }
            if self.ports.get(&port_serial).is_none_or(|port| !port.readable) {
                return;
            }
        }
    }

    fn begin(
        &mut self,
        cx: &mut Context<'_>,
        rule: RuleId,
        port: Serial,
        sender: SocketAddr,
    ) -> Option<Serial> {
        let (to, transport) = cx.leads.target(rule)?;
        if self.idle.count() >= ASSOCIATIONS_MAX
            && let Some(oldest) = self.idle.oldest()
        {
            self.remove(cx, oldest);
        }
        let serial = self.serials.next();
        let attempt = cx.dialer.reach(cx.turn, &to, transport);
        let stage = Stage::Reaching { attempt, waiting: Vec::new() };
        let last_used = cx.turn.now;
        self.reaching.insert(attempt, serial);
        self.by_sender.insert((port, sender), serial);
        self.idle.insert(last_used, serial);
        self.associations.insert(serial, Association { rule, port, sender, stage, last_used, queued: false });
        cx.leads.count(rule, |counts| {
            counts.now += 1;
            counts.total += 1;
        });
        Some(serial)
    }

    /// Answers of the target go to the sender.
    fn answer(&mut self, cx: &mut Context<'_>, serial: Serial) {
        let Some(association) = self.associations.get_mut(&serial) else { return };
        association.queued = false;
        let (rule, Stage::Joined(socket)) = (association.rule, &association.stage) else { return };
        let Some(port) = self.ports.get(&association.port) else { return };
        self.idle.touch(cx.turn.now, serial, &mut association.last_used);
        for _ in 0..DATAGRAMS_PER_TURN_MAX {
            match read(socket, &mut self.buffer[..]) {
                Ok(count) => {
                    let sent =
                        sendto(&port.socket, &self.buffer[..count], SendFlags::DONTWAIT, &association.sender);
                    cx.leads.count(rule, |counts| match sent {
                        Ok(_) => {
                            counts.datagrams_back += 1;
                            counts.bytes_back += u64::try_from(count).unwrap_or(0);
                        }
                        Err(_) => counts.datagrams_dropped += 1,
                    });
                }
                Err(Errno::AGAIN) => return,
                Err(Errno::INTR) => {}
                Err(_) => cx.leads.count(rule, |counts| counts.refused += 1),
            }
        }
        self.on_association(serial);
    }

    fn remove(&mut self, cx: &mut Context<'_>, serial: Serial) {
        let Some(association) = self.associations.remove(&serial) else { return };
        self.by_sender.remove(&(association.port, association.sender));
        self.idle.remove(serial, association.last_used);
        if let Stage::Reaching { attempt, .. } = association.stage {
            self.reaching.remove(&attempt);
            cx.dialer.give_up(attempt);
        }
        cx.leads.count(association.rule, |counts| counts.now = counts.now.saturating_sub(1));
        cx.leads.forget_if_over(association.rule);
    }
}

impl Association {
    fn pass_on(&mut self, cx: &mut Context<'_>, payload: &[u8]) {
        let sent = match &mut self.stage {
            Stage::Reaching { waiting, .. } if waiting.len() < WAITING_DATAGRAMS_MAX => {
                waiting.push(payload.to_vec());
                return;
            }
            Stage::Reaching { .. } => Err(Errno::NOBUFS),
            // A socket tells an ICMP error of an earlier datagram instead of sending this one: which is then sent after
            // all.
            Stage::Joined(socket) => match write(&*socket, payload) {
                Err(Errno::CONNREFUSED) => {
                    cx.leads.count(self.rule, |counts| counts.refused += 1);
                    write(&*socket, payload)
                }
                other => other,
            },
        };
        cx.leads.count(self.rule, |counts| match sent {
            Ok(_) => {
                counts.datagrams_there += 1;
                counts.bytes_there += u64::try_from(payload.len()).unwrap_or(0);
            }
            Err(_) => counts.datagrams_dropped += 1,
        });
    }
}
