//! Nets: several hosts on one link, each served by a process of its own.
//!
//! # Theory of operation
//!
//! The first process that enters a net owns it: it takes the net's control socket, and its room is the [`Switch`]. Who
//! comes later joins over that socket, gets a name, addresses and one end of a *frame socket*, and its room is a
//! [`Member`]. Each process keeps its own host, its own programs and its own exit; nothing is shared but the link.
//!
//! ```text
//!   host 10.77.0.2 ═ Switch ═══ frames ═══ Member ═ host 10.77.0.3
//!     (owner)          ║   ──── words ────
//!                      ╚═══ frames ═══ Member ═ host 10.77.0.4
//! ```
//!
//! A frame is one IP packet, a super-segment whole, with what offloading needs to know behind it. There is no Ethernet:
//! the switch has given every host its addresses, so it needs to learn nothing, and nobody can speak as somebody else.
//! Words are who came and who left; they become notices, of which the host makes routes and a name service answers.
//!
//! # Invariants
//!
//! 1. Nobody hears a packet of a host of which it was not told before.
//! 2. Names and addresses are had by one host at a time; an address comes again as late as possible.
//! 3. No member can hold up another: what one does not take is dropped, within bounds, and counted.
//! 4. What a member sends is checked before it means something; one that sends nonsense is a member no more.
//! 5. When the owner's program ends the net goes on, without its host, for as long as there are members. When the owner
//!    is killed, the link is down for all.
//!
//! # Files, in the order a host meets them
//!
//! - `enter`: as a member or as the owner; `plan`: addresses; `hosts`: who has which, and which name; [`message`]: words.
//! - `switch`: the owner's room; `forward`: where a packet goes; `member`: a member's room.
//! - [`frame`]: a packet in a message; `socket`: the frame socket; `end`: what the rest of the process is told.
//! - `counts`: what was dropped, and why; `bounds`: every bound.
#![forbid(unsafe_code)]

mod bounds;
mod counts;
mod end;
mod enter;
mod forward;
pub mod frame;
mod hosts;
mod member;
pub mod message;
mod plan;
mod socket;
mod switch;

pub use enter::{EnterError, NetRoom, Seat};
pub use hosts::{JoinRefusal, Wish};
pub use member::Member;
pub use message::Place;
pub use plan::{Plan, PlanError};
pub use switch::Switch;
