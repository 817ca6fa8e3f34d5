//! What a host tells whoever drives it.

use std::net::SocketAddr;

use crate::{Kind, SocketId};

/// Names a held SYN until it is accepted or refused.
pub type RequestId = ieum_stack::HalfOpenId;

/// Something happened to a socket.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Event {
    /// Something about the socket changed: ask [`crate::Host::readiness`]. An edge; coalesced until polled.
    Readiness(SocketId),
    /// A SYN for a listening socket of a host that holds requests: answer with [`crate::Host::accept_request`] or
    /// [`crate::Host::refuse_request`].
    Request(SocketId, RequestId),
    /// A stream socket began or ceased to listen, a datagram socket was bound or closed: for published ports.
    Serving {
        /// Which of the two.
        kind: Kind,
        /// Where it is reached, in plain addresses of either family; 0.0.0.0 means every local address of IPv4, `::`
        /// every one of both families.
        address: SocketAddr,
        /// `::` means IPv6 alone (IPV6_V6ONLY).
        v6_only: bool,
        /// Began, or ceased.
        serving: bool,
    },
}
