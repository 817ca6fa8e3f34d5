//! What other ieum processes of the user ask of a host, over its control socket.
//!
//! ```text
//!   who                     asks            is answered
//!   ieum run --in NAME      Enter, Attend   Welcome, or Refused
//!                           Serve           nothing: with it come the listener of its program's filter and a channel to
//!                                           its memory; its calls are answered by the host from now on
//!   ieum ss                 Sockets, More   Sockets, in parts
//!                           Drops           Drops
//! ```
//!
//! A guest stays connected for as long as its program lives. The end of the connection is the end of the guest, and for
//! the guest the end of the host.
//!
//! Files: `owner` (the host's side), `guest` (the room of a process whose program runs on another's host), `client` (who
//! asks and goes).

mod client;
mod guest;
pub(crate) mod owner;

use std::net::SocketAddr;

use serde::{Deserialize, Serialize};

pub use client::{AskError, Asked};
pub use guest::{EnterError, Entrance, Guest};

/// What is asked of a host.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub enum Request {
    /// May a program run here?
    Enter,
    /// The same for a program that is there for those of the host: it does not keep the host alive.
    Attend,
    /// It runs: the listener of its filter and a channel for [`crate::Wish`]es come with this.
    Serve {
        /// Its first process.
        first: i32,
        /// Its memory is to be reached through the channel, even where the kernel would allow more.
        through: bool,
    },
    /// All sockets.
    Sockets,
    /// The next part of them.
    More,
    /// What was dropped.
    Drops,
}

/// What a host answers.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub enum Answer {
    /// It may.
    Welcome {
        /// Datagram sockets are the kernel's there, so that their calls are not to be notified.
        native_datagrams: bool,
    },
    /// It may not.
    Refused {
        /// Why, in a sentence for a person.
        sentence: String,
    },
    /// Some sockets.
    Sockets {
        /// A row for each.
        rows: Vec<Row>,
        /// There are more to ask for.
        more: bool,
    },
    /// Packets dropped, by reason.
    Drops {
        /// Each reason with its count.
        counts: Vec<(String, u64)>,
    },
}

/// One socket, as a person wants to see it.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Row {
    /// Who holds it, the first few.
    pub holders: Vec<Holder>,
    /// `tcp`, `udp` and their kind, as `ss` calls them.
    pub protocol: String,
    /// The state, as `ss` calls it.
    pub state: String,
    /// Bytes received that the program has not read; of a listener, connections that wait to be accepted.
    pub recv_queue: usize,
    /// Bytes that the peer has not acknowledged; of a listener, its bound on waiting connections.
    pub send_queue: usize,
    /// Here.
    pub local: SocketAddr,
    /// There.
    pub remote: Option<SocketAddr>,
}

/// A process with a descriptor of a socket.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Holder {
    /// Its number.
    pub process: i32,
    /// Its name.
    pub command: String,
    /// The descriptor.
    pub descriptor: i32,
}
