//! What the first process and the worker in a host say to each other.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::os::fd::{AsFd, OwnedFd};

use ieum_control::{Channel, ChannelError, Received};
use ieum_engine::{Serial, Turn};
use ieum_exit::{Transport, kernel};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::counts::Counts;
use crate::forwarder::RuleId;
use crate::key::Source;

/// To a worker.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) enum Order {
    /// A rule. Where it listens in the machine, its sockets follow.
    Forward { rule: RuleId, from: String, to: String, udp: bool, sockets: usize },
    /// With it comes a socket of the machine that listens.
    Socket { rule: RuleId },
    /// It leads elsewhere from now on.
    Aim { rule: RuleId, to: String },
    /// It listens no more.
    Close { rule: RuleId },
    /// With it comes what was reached in the machine, or the number of the error.
    Reached { attempt: u64, error: Option<i32> },
    /// Tell all counts.
    Report,
    /// Nothing new is taken; end when the last connection has.
    Drain,
    /// End.
    Cut,
}

/// From a worker.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) enum Word {
    /// A rule listens, in the host at these addresses.
    Listening { rule: RuleId, addresses: Vec<SocketAddr> },
    /// It does not, and why.
    Failed { rule: RuleId, sentence: String },
    /// To be reached in the machine.
    Reach { attempt: u64, to: String, udp: bool },
    /// What passed a rule.
    Counts { rule: RuleId, counts: Counts },
    /// Those were all.
    Reported,
    /// The worker ends; so many connections were cut.
    Over { cut: usize },
}

/// One protocol as a worker reads it.
pub(crate) fn transport(udp: bool) -> Transport {
    if udp { Transport::Udp } else { Transport::Tcp }
}

/// A channel with what it has not taken yet.
#[derive(Debug)]
pub(crate) struct Mailbox<M> {
    channel: Channel,
    outgoing: VecDeque<(M, Option<OwnedFd>)>,
    is_gone: bool,
}

impl<M: Serialize> Mailbox<M> {
    pub(crate) fn new(channel: Channel) -> Mailbox<M> {
        Mailbox { channel, outgoing: VecDeque::new(), is_gone: false }
    }

    pub(crate) fn start(&self, turn: &Turn<'_>, serial: Serial) -> std::io::Result<()> {
        turn.watch(self.channel.as_fd(), Source::Worker(serial).key(), kernel::BOTH)
    }

    /// Says something, perhaps with a descriptor; it waits while the other end does not listen.
    pub(crate) fn say(&mut self, message: M, descriptor: Option<OwnedFd>) {
        self.outgoing.push_back((message, descriptor));
        self.flush();
    }

    /// Everything was said.
    pub(crate) fn is_empty(&self) -> bool {
        self.outgoing.is_empty() || self.is_gone
    }

    /// Says what waits, as far as the other end listens.
    pub(crate) fn flush(&mut self) {
        while let Some((message, descriptor)) = self.outgoing.front() {
            let descriptors: Vec<_> = descriptor.iter().map(AsFd::as_fd).collect();
            match self.channel.send(message, &descriptors) {
                Ok(()) => drop(self.outgoing.pop_front()),
                Err(ChannelError::Full) => return,
                Err(_) => {
                    self.is_gone = true;
                    return;
                }
            }
        }
    }

    /// What the other end has said next; `None`: nothing yet. A descriptor that should come with it is missing where this
    /// process may have no more.
    pub(crate) fn hear<N: DeserializeOwned>(&mut self) -> Option<(N, Option<OwnedFd>)> {
        match self.channel.receive_what_came() {
            Ok(Received::Message(message, descriptors)) => Some((message, descriptors.into_iter().next())),
            Ok(Received::Nothing) => None,
            Ok(Received::End) | Err(_) => {
                self.is_gone = true;
                None
            }
        }
    }

    /// The other end is gone.
    pub(crate) fn is_gone(&self) -> bool {
        self.is_gone
    }
}
