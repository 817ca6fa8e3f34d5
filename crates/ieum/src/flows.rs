//! Connections to any address and port, each unanswered until somebody accepts or refuses it.

use std::collections::{BTreeMap, VecDeque};
use std::io;
use std::net::SocketAddr;

use ieum_socket::{Errno, FlowEvent, RequestId, SocketId};
use ieum_stack::Refusal;
use ieum_wire::Instant;

use crate::bounds::FLOWS_WAITING_MAX;
use crate::host::Host;
use crate::net::TcpStream;
use crate::room::{HostRoom, Waiter, Wish};
use crate::socket::{Socket, block, invalid, wait_for};

/// Gives out whoever wants a connection to any address: see [`Host::listen_any`]. Dropped, it ends that: what was not
/// accepted is refused, and flows it has given out that are not connected yet end with an error. So keep it for as long
/// as flows are wanted.
#[derive(Debug)]
pub struct Flows {
    host: Host,
}

/// Somebody who wants a connection, and has no answer yet. Dropped without a word it is refused.
#[derive(Debug)]
pub struct Flow {
    host: Host,
    request: RequestId,
    destination: SocketAddr,
    source: SocketAddr,
    is_decided: bool,
}

/// What a room knows of flows.
///
/// Invariant: a request is in at most one of `asked`, `answered` and `opened`.
#[derive(Default)]
pub(crate) struct FlowTable {
    /// Who has asked and was not given out.
    asked: VecDeque<RequestId>,
    /// Who is accepted, and whose handshake has not ended, by both addresses.
    answered: BTreeMap<(SocketAddr, SocketAddr), RequestId>,
    /// Whose handshake has ended, and whom nobody has taken.
    opened: BTreeMap<RequestId, SocketId>,
    /// Who waits for any of this.
    pub(crate) waiting: Vec<Waiter>,
}

impl Flows {
    pub(crate) fn on(host: &Host) -> io::Result<Flows> {
        let listens = host.with(|_, room| {
            room.check_present()?;
            if !room.takes_any {
                return Ok(false);
            }
            room.host.listen_any().map(|()| true)
        });
        match listens.map_err(crate::socket::error)? {
            true => Ok(Flows { host: host.clone() }),
            false => Err(invalid("the host takes only its own addresses: make it with `any_destination()`")),
        }
    }

    /// The next one, when there is one.
    ///
    /// # Errors
    ///
    /// EBADF when the host is [removed](Host::remove).
    pub fn accept(&self) -> io::Result<Flow> {
        let next = block(&self.host, Wish::Flow, |_, room| room.next_flow().map(Ok).ok_or(None))?;
        Ok(self.flow(next))
    }

    /// The same for a task. Dropped before its end it takes nothing.
    ///
    /// # Errors
    ///
    /// EBADF when the host is [removed](Host::remove).
    pub async fn accept_async(&self) -> io::Result<Flow> {
        let next = wait_for(&self.host, Wish::Flow, |_, room| room.next_flow().ok_or(Errno::EAGAIN)).await?;
        Ok(self.flow(next))
    }

    fn flow(&self, (request, destination, source): (RequestId, SocketAddr, SocketAddr)) -> Flow {
        Flow { host: self.host.clone(), request, destination, source, is_decided: false }
    }
}

impl Drop for Flows {
    fn drop(&mut self) {
        self.host.with(|_, room| {
            while let Some((request, ..)) = room.next_flow() {
                room.host.refuse_flow(request, Refusal::Reset);
            }
            room.host.close_any();
        });
    }
}

impl Flow {
    /// Where it is to go.
    pub fn destination(&self) -> SocketAddr {
        self.destination
    }

    /// Whose it is.
    pub fn source(&self) -> SocketAddr {
        self.source
    }

    /// Answers by a SYN-ACK, and waits until the connection is established.
    ///
    /// # Errors
    ///
    /// ConnectionAborted when its peer has given up; EBADF when the host is removed.
    pub fn accept(mut self) -> io::Result<TcpStream> {
        self.answer();
        let request = self.request;
        let opened = block(&self.host, Wish::Opened(request), |_, room| match room.opened(request) {
            Err(Errno::EAGAIN) => Err(None),
            answer => Ok(answer),
        });
        opened.map(|id| TcpStream::from(Socket::of(&self.host, id)))
    }

    /// The same for a task. Dropped before its end the connection is reset.
    ///
    /// # Errors
    ///
    /// ConnectionAborted when its peer has given up; EBADF when the host is removed.
    pub async fn accept_async(mut self) -> io::Result<TcpStream> {
        self.answer();
        let request = self.request;
        let id = wait_for(&self.host, Wish::Opened(request), |_, room| room.opened(request)).await?;
        Ok(TcpStream::from(Socket::of(&self.host, id)))
    }

    /// Refuses it: by a RST, as nobody who listens; by an ICMP error, as a host or network that cannot be reached; or by silence.
    pub fn refuse(mut self, refusal: Refusal) {
        self.is_decided = true;
        self.host.with(|_, room| room.host.refuse_flow(self.request, refusal));
    }

    fn answer(&mut self) {
        self.is_decided = true;
        self.host.with(|_, room| {
            room.flows.answered.insert((self.destination, self.source), self.request);
            room.host.accept_request(self.request);
        });
    }
}

impl Drop for Flow {
    fn drop(&mut self) {
        self.host.with(|now, room| {
            if !self.is_decided {
                return room.host.refuse_flow(self.request, Refusal::Reset);
            }
            // Accepted, and not waited for to the end.
            let tuple = (self.destination, self.source);
            if room.flows.answered.get(&tuple) == Some(&self.request) {
                room.flows.answered.remove(&tuple);
            }
            if let Some(id) = room.flows.opened.remove(&self.request) {
                room.host.abort(now, id);
            }
        });
    }
}

impl HostRoom {
    /// Takes the next one who has asked and has not given up since.
    fn next_flow(&mut self) -> Option<(RequestId, SocketAddr, SocketAddr)> {
        while let Some(request) = self.flows.asked.pop_front() {
            if let Some((destination, source)) = self.host.flow(request) {
                return Some((request, destination, source));
            }
        }
        None
    }

    /// The socket of an accepted flow; EAGAIN while its handshake goes on.
    fn opened(&mut self, request: RequestId) -> Result<SocketId, Errno> {
        match self.flows.opened.remove(&request) {
            Some(id) => Ok(id),
            None if self.host.flow(request).is_some() => Err(Errno::EAGAIN),
            None => Err(Errno::ECONNABORTED),
        }
    }

    /// Something happened to a flow.
    pub(crate) fn hear_flow(&mut self, now: Instant, event: FlowEvent) {
        match event {
            FlowEvent::Asked(request) => {
                self.flows.asked.push_back(request);
                if self.flows.asked.len() > FLOWS_WAITING_MAX {
                    // Fewer than half of them can be alive: the stack holds no more.
                    self.flows.asked.retain(|request| self.host.flow(*request).is_some());
                }
                self.wake_flows(|wish| wish == Wish::Flow);
            }
            FlowEvent::Opened { id, destination, source } => {
                match self.flows.answered.remove(&(destination, source)) {
                    Some(request) => {
                        self.flows.opened.insert(request, id);
                        self.wake_flows(|wish| wish == Wish::Opened(request));
                    }
                    // Who accepted it does not want it any more.
                    None => self.host.abort(now, id),
                }
            }
        }
    }

    /// Nobody tells when an accepted flow vanishes before its end: who waits for one that is gone is woken.
    pub(crate) fn forget_vanished(&mut self) {
        if self.flows.answered.is_empty() {
            return;
        }
        let vanished =
            |(_, request): (_, &mut RequestId)| self.host.flow(*request).is_none().then_some(*request);
        let vanished: Vec<RequestId> = self.flows.answered.iter_mut().filter_map(vanished).collect();
        for request in vanished {
            self.flows.answered.retain(|_, other| *other != request);
            self.wake_flows(|wish| wish == Wish::Opened(request));
        }
    }

    pub(crate) fn wake_flows(&mut self, concerns: impl Fn(Wish) -> bool) {
        let woken = self.flows.waiting.extract_if(.., |waiter| concerns(waiter.wish));
        self.woken.extend(woken.map(|waiter| waiter.waker));
    }
}
