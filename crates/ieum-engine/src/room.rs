//! What the engine drives.

use std::io;
use std::net::{IpAddr, SocketAddr};

use ieum_stack::LinkId;
use ieum_wire::{Instant, Packet};

use crate::poller::{Ready, Turn};

/// What one room tells the others: the only words that cross.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Notice {
    /// A host's stream port began or ceased to listen, or a datagram port to be bound: for published ports.
    Serving {
        /// A datagram port, not a stream port.
        datagram: bool,
        /// Which. An unspecified address means every one of its family, and `::` those of IPv4 too.
        address: SocketAddr,
        /// `::` means IPv6 alone.
        v6_only: bool,
        /// It begins; else it ceases.
        serving: bool,
    },
    /// A name means these addresses from now on; none: nobody has it any more. For name services.
    Name {
        /// As a program asks for it, without a final dot, in lower case.
        name: String,
        /// In the order of preference.
        addresses: Vec<IpAddr>,
    },
    /// A host came to a link that many share, or left it: for the host at our end, which routes to it or no more.
    Neighbor {
        /// The host's own name for the link.
        link: LinkId,
        /// The other's addresses.
        addresses: Vec<IpAddr>,
        /// It came; else it left.
        present: bool,
    },
    /// A link leads nowhere any more: for the host at our end.
    LinkDown {
        /// The host's own name for the link.
        link: LinkId,
    },
    /// The host has no program any more, and has delivered what its programs left. Told once, where others go on.
    HostEnded,
}

/// One stack and what stands around it: the runner of a program, the exit. Never waits by itself.
///
/// # A turn
///
/// One turn of the loop is: [`Room::on_ready`] for each source that is ready, [`Room::on_deadline`] for each room whose
/// deadline has come, and then passes over all rooms until none moves (at most 16, so that sources are seen
/// meanwhile). A pass is, for each room: [`Room::settle`] once, then [`Room::poll_frame`] and [`Room::poll_notice`]
/// until they have nothing more, each frame and notice going to its receiver at once.
///
/// # Work left over
///
/// Each call is short: `settle` moves a bounded share for each socket or flow, and the room remembers what is left. There
/// is one way to ask for another turn: [`Room::deadline`] tells a time that has passed, [`Instant::ZERO`], for as long
/// as the room *has work*. The engine then looks at the sources without waiting and takes the next turn at once: the
/// room's `on_deadline` and its `settle` are called, in this order. So
///
/// 1. `settle` takes up what was left over, whatever woke the room, and leaves over again what exceeds its share;
/// 2. `on_deadline` must stand being called before the room's own timers are due: it looks at each by its time;
/// 3. to have work means that the next turn can get on with it. Who waits for room, for an event of the stack or for
///    an edge of a descriptor has none, or the loop would spin;
/// 4. a frame crosses because `poll_frame` gives it, not because a deadline is told: what `settle` makes the stack owe
///    is asked for in the same pass.
///
/// Each room keeps what is left over in its own words, behind a `has_work` that `deadline` asks first.
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

    /// Others rely on it, whether the run is over or not: see [`Engine::run_while_needed`](crate::Engine::run_while_needed).
    fn is_needed(&self) -> bool {
        false
    }

    /// The first room's word that the run is over: nothing new begins. Every room may still be unfinished.
    fn is_finished(&self) -> bool {
        false
    }
}
