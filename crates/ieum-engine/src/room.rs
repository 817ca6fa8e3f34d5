//! What the engine drives.

use std::io;
use std::net::SocketAddr;

use ieum_stack::LinkId;
use ieum_wire::{Instant, Packet};

use crate::poller::{Ready, Turn};

/// What one room tells the others: the only words that cross.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Notice {
    /// A host's stream port began or ceased to listen, or a datagram port to be bound: for published ports.
    Serving {
        /// A datagram port, not a stream port.
        datagram: bool,
        /// Which.
        address: SocketAddr,
        /// It begins; else it ceases.
        serving: bool,
    },
}

/// One stack and what stands around it: the runner of a program, the exit. Never waits by itself.
///
/// Each call is short: what would take long is cut into pieces by the room itself, which asks for another turn by a
/// deadline that is now.
pub trait Room {
    /// Once, before the first turn: registers its first sources.
    ///
    /// # Errors
    ///
    /// What makes the whole run impossible.
    fn start(&mut self, turn: &Turn<'_>) -> io::Result<()>;

    /// A source registered under `key` is ready. The source may be gone by now: events are taken in bunches.
    fn on_ready(&mut self, turn: &Turn<'_>, key: u64, ready: Ready);

    /// A packet came over one of its stack's links.
    fn on_frame(&mut self, turn: &Turn<'_>, link: LinkId, frame: Packet);

    /// Its deadline has come.
    fn on_deadline(&mut self, turn: &Turn<'_>);

    /// When it wants to be woken; a time that has passed means at once.
    fn deadline(&self) -> Option<Instant>;

    /// Looks at what its own stack's events mean, and pumps bytes. Called after anything else, until all are quiet.
    fn settle(&mut self, turn: &Turn<'_>);

    /// The next packet its stack wants to send.
    fn poll_frame(&mut self, turn: &Turn<'_>) -> Option<(LinkId, Packet)>;

    /// What it has to tell the others.
    fn poll_notice(&mut self) -> Option<Notice>;

    /// What another has told.
    fn on_notice(&mut self, turn: &Turn<'_>, notice: Notice);

    /// Has it bytes still to deliver? The engine stays for them, within a bound.
    fn is_unfinished(&self) -> bool;

    /// The first room's word that the run is over: nothing new begins. Every room may still be unfinished.
    fn is_finished(&self) -> bool {
        false
    }
}
