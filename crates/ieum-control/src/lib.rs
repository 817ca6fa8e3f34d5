//! Control sockets: how the ieum processes of one user find each other, by name, and talk.
//!
//! # Theory of operation
//!
//! There is one directory for each user ([`Directory`]): `ieum` below `$XDG_RUNTIME_DIR`, or `/tmp/ieum-UID` where there
//! is none. A process that others may ask for something puts a [`Listener`] into it, under a [`Kind`] and a [`Name`]; who
//! wants something makes a [`Channel`] to that name. A channel carries messages (JSON, one each) together with
//! descriptors, keeps their bounds, and says when the other end is gone.
//!
//! ```text
//!   $XDG_RUNTIME_DIR/ieum/        0700, ours, not a symbolic link
//!     hosts/NAME  nets/NAME       AF_UNIX, SOCK_SEQPACKET, 0600
//! ```
//!
//! # Invariants
//!
//! 1. Nobody but the user reaches a socket here: directory and socket are closed to others, and both ends ask the kernel
//!    who is at the other one ([`Listener::accept`] closes what another user opened, root included). Nor does a program
//!    under `ieum run`, whose user is ours: it has one seccomp filter more than we.
//! 2. A name belongs to one living process. What a killed one has left is refused by the kernel, and replaced: with the
//!    directory locked (flock), so that two cannot find the same dead one. The last who goes leaves no directory.
//! 3. What a message says is the other's word: its length, its descriptors and its form are checked before it is handed
//!    on ([`decode`]), and what is wrong is an error and never a panic.
//! 4. Nothing here waits, save what is told how long.
//!
//! # Files
//!
//! `name`, `directory`, `listener`, `peer`, `channel`, `message`; `bounds`: every bound; `sys`: unsafe code.

mod bounds;
mod channel;
mod directory;
mod listener;
mod message;
mod name;
mod peer;
#[allow(unsafe_code, reason = "the one file of this crate with unsafe code")]
mod sys;

pub use bounds::{DESCRIPTORS_MAX, MESSAGE_BYTES_MAX};
pub use channel::{Channel, ChannelError, Received};
pub use directory::{Directory, DirectoryError, Kind};
pub use listener::{BindError, Listener};
pub use message::{Malformed, decode, encode};
pub use name::{Name, NameError};
