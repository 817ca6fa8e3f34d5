//! One side of a conversation: it writes, reads and ends as its plan says, through the calls of a host's sockets.
//!
//! It goes on until a call says EAGAIN, or until its own pause, and then waits to be told: an event that a host forgets
//! shows as a side that waits for ever.

use ieum_socket::numbers::{
    IPPROTO_TCP, SO_KEEPALIVE, SO_OOBINLINE, SO_RCVBUF, SO_SNDBUF, SOL_SOCKET, TCP_CONGESTION, TCP_KEEPIDLE,
    TCP_KEEPINTVL, TCP_MAXSEG, TCP_NODELAY,
};
use ieum_socket::{Errno, Host, How, SocketId};
use ieum_stack::{Info, Status};
use ieum_wire::Instant;

use super::machine::Machine;
use super::plan::SidePlan;
use crate::exchange::Doors;
use crate::node::NodeId;
use crate::pattern::Pattern;
use crate::world::World;

/// How a side came to its end.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum End {
    /// Everything sent, everything received, closed.
    Whole,
    /// It broke off, as planned.
    Planned,
    /// A call said so.
    Failed(Errno),
    /// Its host was switched off.
    Gone,
}

/// One side at work.
pub(super) struct Side {
    pub(super) node: NodeId,
    /// The life of its host that it belongs to.
    life: u32,
    socket: SocketId,
    plan: SidePlan,
    outgoing: Pattern,
    incoming: Pattern,
    /// Bytes that the other side sends.
    awaited: u64,
    /// Which of them is urgent.
    mark: Option<u64>,
    pub(super) sent: u64,
    pub(super) received: u64,
    /// It has said that it sends no more.
    finished: bool,
    /// When it may write, and read, again.
    next: [Instant; 2],
    /// When it has to be asked again, whatever happens.
    pub(super) due: Option<Instant>,
    pub(super) end: Option<End>,
}

/// How long a connection is silent before its peer is asked whether it lives, and between questions, in seconds: the
/// RST of a peer that breaks off may be lost. Nine questions last longer than any trouble.
const KEEPALIVE_S: [i32; 2] = [10, 5];

/// Sets what the plan says on a stream's socket, before it listens or connects.
pub(super) fn configure(host: &mut Host, now: Instant, socket: SocketId, plan: &SidePlan) {
    let [idle, interval] = KEEPALIVE_S;
    let numbers = [
        (SOL_SOCKET, SO_KEEPALIVE, Some(1)),
        (SOL_SOCKET, SO_OOBINLINE, Some(i32::from(reads_inline(plan)))),
        (IPPROTO_TCP, TCP_KEEPIDLE, Some(idle)),
        (IPPROTO_TCP, TCP_KEEPINTVL, Some(interval)),
        (IPPROTO_TCP, TCP_NODELAY, Some(i32::from(plan.no_delay))),
        (SOL_SOCKET, SO_SNDBUF, plan.buffers[0]),
        (SOL_SOCKET, SO_RCVBUF, plan.buffers[1]),
        (IPPROTO_TCP, TCP_MAXSEG, plan.mss),
    ];
    for (level, name, value) in numbers {
        if let Some(value) = value {
            let set = host.set_option(now, socket, level, name, &value.to_ne_bytes());
            assert_eq!(set, Ok(()), "option {name} of level {level} takes {value}");
        }
    }
    let congestion = plan.congestion.as_str().as_bytes();
    let set = host.set_option(now, socket, IPPROTO_TCP, TCP_CONGESTION, congestion);
    assert_eq!(set, Ok(()), "every algorithm can be chosen");
}

impl Side {
    /// A side that begins now. `key` and `!key` are the streams of the client and the server.
    pub(super) fn new(
        now: Instant,
        (node, life, socket): (NodeId, u32, SocketId),
        plan: SidePlan,
        (outgoing, incoming): (u64, u64),
        other: &SidePlan,
    ) -> Side {
        Side {
            node,
            life,
            socket,
            plan,
            outgoing: Pattern::new(outgoing),
            incoming: Pattern::new(incoming),
            awaited: other.bytes,
            mark: other.urgent_at,
            sent: 0,
            received: 0,
            finished: false,
            next: [now, now + plan.reads_after],
            due: Some(now),
            end: None,
        }
    }

    /// Its first bytes, which are to go with the SYN.
    pub(super) fn first_bytes(&self) -> Vec<u8> {
        let mut bytes = vec![0; self.offered()];
        self.outgoing.fill(0, &mut bytes);
        bytes
    }

    /// So many of them did.
    pub(super) fn sent_with_syn(&mut self, count: usize) {
        self.sent = to_u64(count);
    }

    /// Does what can be done now.
    pub(super) fn pump(&mut self, world: &mut World<Machine>) {
        if self.end.is_some() {
            return;
        }
        self.due = None;
        let now = world.now();
        let Some(host) = world.node_mut(self.node).host_of(self.life) else {
            self.end = Some(End::Gone);
            return;
        };
        self.end = match self.go_on(host, now) {
            Ok(end) => end,
            Err(errno) => {
                host.close(now, self.socket);
                Some(End::Failed(errno))
            }
        };
        if let Some(due) = self.due {
            world.wake_at(due);
        }
    }

    /// All that its host can tell of its connection.
    pub(super) fn info(&self, world: &World<Machine>) -> Option<(Status, Info)> {
        let machine = world.node(self.node);
        if self.end.is_some() || machine.lives() != self.life {
            return None;
        }
        machine.host()?.info(self.socket)
    }

    fn go_on(&mut self, host: &mut Host, now: Instant) -> Result<Option<End>, Errno> {
        let ready = host.readiness(self.socket);
        if !ready.writable && !ready.readable && !ready.urgent {
            return Ok(None);
        }
        if self.plan.breaks_after.is_some_and(|after| self.received >= after) {
            host.abort(now, self.socket);
            return Ok(Some(End::Planned));
        }
        self.write(host, now)?;
        if self.plan.closes_early && self.finished {
            host.close(now, self.socket);
            return Ok(Some(End::Whole));
        }
        if self.read(host, now)? {
            assert_eq!(self.received, self.awaited, "the stream ends where its sender ended it");
            if self.finished {
                host.close(now, self.socket);
                return Ok(Some(End::Whole));
            }
        }
        Ok(None)
    }

    /// Writes until there is no room, or no more to write, or a pause.
    fn write(&mut self, host: &mut Host, now: Instant) -> Result<(), Errno> {
        while self.sent < self.plan.bytes {
            if now < self.next[0] {
                self.wait_until(self.next[0]);
                return Ok(());
            }
            let offered = self.offered();
            let taken = match self.plan.doors {
                _ if self.plan.urgent_at == Some(self.sent) => {
                    let mut byte = [0];
                    self.outgoing.fill(self.sent, &mut byte);
                    unless_again(host.send_urgent(now, self.socket, &byte))?.unwrap_or(0)
                }
                Doors::Copying => {
                    let mut bytes = vec![0; offered];
                    self.outgoing.fill(self.sent, &mut bytes);
                    unless_again(host.send(now, self.socket, &bytes))?.unwrap_or(0)
                }
                Doors::InPlace => self.write_in_place(host, now, offered)?,
            };
            assert!(taken <= offered, "no more is taken than was offered");
            self.sent += to_u64(taken);
            if taken == 0 {
                return Ok(());
            }
            self.next[0] = now + self.plan.pause[0];
        }
        if !self.finished {
            match host.shutdown(now, self.socket, How::Write) {
                Ok(()) => {}
                // The connection is over, for a reason or because all was said.
                Err(Errno::ENOTCONN) => host.take_error(self.socket).map_or(Ok(()), Err)?,
                Err(errno) => return Err(errno),
            }
            self.finished = true;
        }
        Ok(())
    }

    /// How much the next call writes: the urgent byte goes by itself.
    fn offered(&self) -> usize {
        let until = match self.plan.urgent_at {
            Some(at) if at == self.sent => at + 1,
            Some(at) if at > self.sent => at,
            Some(_) | None => self.plan.bytes,
        };
        usize::try_from(until - self.sent).unwrap_or(usize::MAX).min(self.plan.chunk_bytes[0])
    }

    fn write_in_place(&mut self, host: &mut Host, now: Instant, offered: usize) -> Result<usize, Errno> {
        let mut filled = 0;
        for mut chunk in host.send_space(self.socket, offered) {
            self.outgoing.fill(self.sent + to_u64(filled), &mut chunk);
            filled += chunk.len();
        }
        if filled == 0 {
            // This door is closed when there is no room, and when something is wrong: the other says which.
            unless_again(host.send(now, self.socket, &[]))?;
        }
        host.commit(now, self.socket, filled);
        Ok(filled)
    }

    /// Reads until there is nothing, or a pause; `true` at the end of the stream.
    fn read(&mut self, host: &mut Host, now: Instant) -> Result<bool, Errno> {
        loop {
            if now < self.next[1] {
                self.wait_until(self.next[1]);
                return Ok(false);
            }
            if self.mark == Some(self.received) && !reads_inline(&self.plan) {
                if !self.read_urgent(host, now)? {
                    return Ok(false);
                }
                continue;
            }
            let most = self.plan.chunk_bytes[1];
            let mut count = 0;
            if self.plan.doors == Doors::InPlace {
                for chunk in host.recv_chunks(self.socket) {
                    self.check(count, &chunk);
                    count += chunk.len();
                }
                host.consume(now, self.socket, count);
            }
            if count == 0 {
                let mut bytes = vec![0; most];
                match unless_again(host.recv(now, self.socket, &mut bytes, false))? {
                    None => return Ok(false),
                    Some(0) => return Ok(true),
                    Some(got) => {
                        self.check(0, &bytes[..got]);
                        let until = self.received + to_u64(got);
                        let passes = self.mark.is_some_and(|mark| self.received < mark && mark < until);
                        assert!(!passes, "a read ends before the urgent byte");
                        count = got;
                    }
                }
            }
            self.received += to_u64(count);
            self.next[1] = now + self.plan.pause[1];
            if self.plan.breaks_after.is_some_and(|after| self.received >= after) {
                // Not now, but when it is asked next.
                self.wait_until(now);
                return Ok(false);
            }
        }
    }

    /// The urgent byte, which comes next, is read by itself. `false`: it has not come.
    fn read_urgent(&mut self, host: &mut Host, now: Instant) -> Result<bool, Errno> {
        match host.recv_urgent(self.socket, false) {
            Ok(Some(byte)) => {
                self.check(0, &[byte]);
                self.received += 1;
                Ok(true)
            }
            // It was not announced yet, or has not come: nothing that follows it has, and no end.
            Ok(None) | Err(Errno::EINVAL | Errno::EAGAIN) => {
                let next = unless_again(host.recv(now, self.socket, &mut [0], true))?;
                assert_eq!(next, None, "the urgent byte comes before what follows it");
                Ok(false)
            }
            Err(errno) => Err(errno),
        }
    }

    fn check(&self, ahead: usize, bytes: &[u8]) {
        let differs = self.incoming.differs(self.received + to_u64(ahead), bytes);
        assert_eq!(differs, None, "byte {differs:?} is not the one that was sent");
    }

    fn wait_until(&mut self, at: Instant) {
        self.due = Some(self.due.map_or(at, |due| due.min(at)));
    }
}

/// Does it find the urgent byte in the stream? What is read in place has it always.
fn reads_inline(plan: &SidePlan) -> bool {
    plan.urgent_inline || plan.doors == Doors::InPlace
}

/// `None` when the call is to be made again later.
pub(super) fn unless_again<T>(outcome: Result<T, Errno>) -> Result<Option<T>, Errno> {
    match outcome {
        Ok(value) => Ok(Some(value)),
        Err(Errno::EAGAIN) => Ok(None),
        Err(errno) => Err(errno),
    }
}

fn to_u64(count: usize) -> u64 {
    u64::try_from(count).unwrap_or(u64::MAX)
}
