//! ieum's sockets for tokio: [`TcpListener`], [`TcpStream`], [`TcpSocket`] and [`UdpSocket`] as `tokio::net` has them.
//!
//! A program changes its `use` line. Made by `bind` and `connect` the sockets are the
//! [process's own host's](ieum::Host::of_process); those of another host come by `from_std` or `try_into` ([`ieum::Host::listen`],
//! [`ieum::Host::udp`]), by [`TcpStream::connect_from`] and by [`TcpSocket::new_v4_on`].
//!
//! ```
//! use ieum_tokio::{TcpListener, TcpStream};
//! use tokio::io::{AsyncReadExt, AsyncWriteExt};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> std::io::Result<()> {
//! let listener = TcpListener::bind("127.0.0.1:80").await?;
//! let mut one = TcpStream::connect("127.0.0.1:80").await?;
//! let (mut other, _) = listener.accept().await?;
//! one.write_all(b"hello").await?;
//! drop(one);
//! let mut word = String::new();
//! other.read_to_string(&mut word).await?;
//! assert_eq!(word, "hello");
//! # Ok(())
//! # }
//! ```
//!
//! # How a task waits
//!
//! There is no reactor of tokio's between: whoever's call, packet or timer brings what a task waits for wakes it, and
//! the runtime needs no `enable_io`. Every future here is *cancel-safe*: it asks, and is remembered until it has its
//! answer; dropped before, it has taken nothing and is forgotten. Methods on `&self` may be awaited by any number of
//! tasks at once; `poll_` methods and the traits remember one task for each direction, the last one, as tokio's do.
//! Calls spend tokio's budget for cooperation, so that a socket that is always ready leaves other tasks their turn.
//!
//! # What is not here
//!
//! The fd traits, options that tokio has deprecated, and `bind_device`. Waiting for readiness spends none of tokio's budget.
#![forbid(unsafe_code)]

mod option;
mod ready;
mod split;
mod tcp_listener;
mod tcp_socket;
mod tcp_stream;
mod udp_socket;

pub use tcp_listener::TcpListener;
pub use tcp_socket::TcpSocket;
pub use tcp_stream::TcpStream;
/// Names are asked of the machine, by whomever they are asked.
pub use tokio::net::{ToSocketAddrs, lookup_host};
pub use udp_socket::UdpSocket;

/// The halves of a [`TcpStream`].
pub mod tcp {
    pub use crate::split::{OwnedReadHalf, OwnedWriteHalf, ReadHalf, ReuniteError, WriteHalf};
}
