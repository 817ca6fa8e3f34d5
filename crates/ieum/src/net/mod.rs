//! Sockets as `std::net` has them.
//!
//! [`TcpListener`], [`TcpStream`] and [`UdpSocket`] have the calls of their namesakes there, with the same meaning and the same
//! errors; a program changes its `use` line. What they have not are descriptors of the machine (`AsFd` and its like). Made
//! by `bind` and `connect` they are the [process's own host's](crate::Host::of_process); made by a [`crate::Host`], that
//! host's.
//!
//! [`Socket`] has the calls of Linux where std's types do not reach: options, flags, any order; [`poll`] and [`Epoll`]
//! wait for many at once. [`RawSocket`] speaks IP itself, on hosts that let it.
//!
//! For tasks each call that may block has a `poll_` beside it, for any executor; crate `ieum-tokio` puts tokio's traits on them.

mod epoll;
mod poll;
mod raw_socket;
mod socket;
mod tcp_listener;
mod tcp_stream;
mod udp_socket;
mod waits;

pub use std::net::{
    IpAddr, Ipv4Addr, Ipv6Addr, Shutdown, SocketAddr, SocketAddrV4, SocketAddrV6, ToSocketAddrs,
};

pub use self::epoll::Epoll;
pub use self::poll::{poll, poll_exactly};
pub use self::raw_socket::RawSocket;
pub use self::socket::Socket;
pub use self::tcp_listener::{Incoming, TcpListener};
pub use self::tcp_stream::TcpStream;
pub use self::udp_socket::UdpSocket;
