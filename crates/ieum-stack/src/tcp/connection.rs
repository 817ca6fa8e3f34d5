//! One connection: its phase, its settings, and who holds it.
//!
//! A connection is in one of three phases, each with its own data. [`Handshake`]: we sent a SYN. [`Open`]: the seven
//! synchronised states, as two halves and who ended first. Closed: over for the peer; what had arrived can still be
//! read by a user that still holds it. TIME-WAIT is a small struct of its own ([`super::time_wait`]), and a passive
//! open before its handshake ends one as well ([`super::half_open`]).

use ieum_wire::Instant;
use ieum_wire::Unreachable;

use super::ListenerId;
use super::handshake::Handshake;
use super::info::Last;
use super::open::Open;
use super::recv::Recv;
use super::settings::TcpSettings;
use super::state::State;
use super::tuple::FourTuple;
use crate::port::Hold;

/// Why a connection ended before its time.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Failure {
    /// A RST answered our SYN.
    Refused,
    /// A RST ended the established connection.
    Reset,
    /// Nothing was acknowledged for too long.
    TimedOut,
    /// An ICMP error came while connecting.
    Unreachable(Unreachable),
}

/// Where a connection stands in its life.
#[allow(
    clippy::large_enum_variant,
    reason = "nearly every connection is open: a box would only cost a cache miss"
)]
pub(super) enum Phase {
    Handshake(Handshake),
    Open(Open),
    /// For a user that still holds the connection.
    Closed(Over),
}

/// What is left of a connection that is over.
#[derive(Default)]
pub(super) struct Over {
    /// What was received, and may not have been read.
    pub(super) recv: Option<Recv>,
    /// What could be told of it at the end; nothing where nobody is left to ask.
    pub(super) last: Option<Box<Last>>,
}

/// Who holds a connection.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Holder {
    /// It waits in the accept queue of this listener.
    Listener(ListenerId),
    /// A user that will close it.
    User,
    /// Nobody: the stack brings it to its end.
    Nobody,
}

/// Who reads what arrives.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Reader {
    /// The user does.
    There,
    /// The user has said that it reads no more (SHUT_RD). What comes is kept for it all the same, until it says no more either.
    Deaf,
    /// Nobody does, for ever: nobody holds the connection.
    Gone,
}

/// A connection.
pub(super) struct Connection {
    pub(super) tuple: FourTuple,
    pub(super) settings: TcpSettings,
    pub(super) phase: Phase,
    pub(super) holder: Holder,
    pub(super) failure: Option<Failure>,
    /// Its user has said that it reads no more.
    pub(super) deaf: bool,
    /// It counts among those that nobody holds.
    pub(super) orphan: bool,
    /// What its socket had said of the port.
    pub(super) hold: Hold,
    /// It stands in the FIFO of debtors.
    pub(super) in_debt: bool,
    /// Something changed that its user has not been told of.
    pub(super) news: bool,
    /// Under which time it is known to the timers.
    pub(super) timer_at: Option<Instant>,
}

impl Connection {
    pub(super) fn new(
        tuple: FourTuple,
        settings: TcpSettings,
        phase: Phase,
        holder: Holder,
        hold: Hold,
    ) -> Connection {
        Connection {
            tuple,
            settings,
            phase,
            holder,
            failure: None,
            deaf: false,
            orphan: false,
            hold,
            in_debt: false,
            news: false,
            timer_at: None,
        }
    }

    /// Who reads what arrives.
    pub(super) fn reader(&self) -> Reader {
        match self.holder {
            Holder::Nobody => Reader::Gone,
            Holder::User | Holder::Listener(_) if self.deaf => Reader::Deaf,
            Holder::User | Holder::Listener(_) => Reader::There,
        }
    }

    /// The state by its name in RFC 9293.
    pub(super) fn state(&self) -> State {
        match &self.phase {
            Phase::Handshake(handshake) => handshake.state(),
            Phase::Open(open) => open.state(),
            Phase::Closed(_) => State::Closed,
        }
    }

    pub(super) fn open(&self) -> Option<&Open> {
        match &self.phase {
            Phase::Open(open) => Some(open),
            Phase::Handshake(_) | Phase::Closed(_) => None,
        }
    }

    pub(super) fn handshake(&self) -> Option<&Handshake> {
        match &self.phase {
            Phase::Handshake(handshake) => Some(handshake),
            Phase::Open(_) | Phase::Closed(_) => None,
        }
    }

    pub(super) fn open_mut(&mut self) -> Option<&mut Open> {
        match &mut self.phase {
            Phase::Open(open) => Some(open),
            Phase::Handshake(_) | Phase::Closed(_) => None,
        }
    }

    /// What can be read from, whether the connection still lives or not.
    pub(super) fn recv(&self) -> Option<&Recv> {
        match &self.phase {
            Phase::Open(open) => Some(&open.recv),
            Phase::Closed(over) => over.recv.as_ref(),
            Phase::Handshake(_) => None,
        }
    }

    pub(super) fn recv_mut(&mut self) -> Option<&mut Recv> {
        match &mut self.phase {
            Phase::Open(open) => Some(&mut open.recv),
            Phase::Closed(over) => over.recv.as_mut(),
            Phase::Handshake(_) => None,
        }
    }

    /// Any state → CLOSED. What was received stays readable, and what is known of the connection stays told.
    pub(super) fn closed(&mut self, now: Instant, failure: Option<Failure>) {
        let last = (self.holder != Holder::Nobody).then(|| Box::new(self.last(now)));
        let phase = std::mem::replace(&mut self.phase, Phase::Closed(Over::default()));
        self.phase = Phase::Closed(match phase {
            Phase::Open(open) => Over { recv: Some(open.recv), last },
            Phase::Closed(over) => over,
            Phase::Handshake(_) => Over { recv: None, last },
        });
        self.failure = self.failure.or(failure);
        self.news = true;
    }

    /// When it wants to be woken next.
    pub(super) fn deadline(&self) -> Option<Instant> {
        match &self.phase {
            Phase::Handshake(handshake) => handshake.syn.timer,
            Phase::Open(open) => open.deadline(&self.settings, self.holder == Holder::Nobody),
            Phase::Closed(_) => None,
        }
    }
}
