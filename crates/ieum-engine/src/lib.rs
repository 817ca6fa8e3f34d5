//! The only owner of clock and waiting.
//!
//! A [`Room`] is one stack and what stands around it. [`Engine::run`] waits for everything that rooms have registered,
//! in one epoll, and calls each room in its turn: what it waited for is ready, its deadline has come, packets have
//! arrived. No room ever waits by itself, and no two rooms see each other: packets cross by the links the engine
//! joins, and a few words ([`Notice`]) are told to all others.
//!
//! Files: [`room`](Room) (what a room is), `turn` (the loop), `poller` (epoll), `device` (the room of a TUN or TAP
//! interface), `serial` (names of sources), `clock`, `complain` (what a person is told), `bounds`.
#![forbid(unsafe_code)]

mod bounds;
mod clock;
mod complain;
mod device;
mod poller;
mod room;
mod serial;
mod turn;

pub use clock::Clock;
pub use complain::complain;
pub use device::DeviceRoom;
pub use poller::{Interest, Poller, Ready, Sleeper, Told, Turn};
pub use room::{Notice, Room};
pub use serial::{Serial, Serials};
pub use turn::{Engine, LinkEnd};
