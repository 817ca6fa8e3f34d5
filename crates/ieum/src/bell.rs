//! Wakes the thread that sleeps for a network: eventfd(2), watched like any source.

use std::io;
use std::os::fd::{AsFd, OwnedFd};

use ieum_engine::{Interest, Turn};
use rustix::event::EventfdFlags;

/// What is rung.
#[derive(Debug)]
pub(crate) struct Bell(OwnedFd);

impl Bell {
    pub(crate) fn new() -> io::Result<Bell> {
        let flags = EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK;
        Ok(Bell(rustix::event::eventfd(0, flags)?))
    }

    /// The room that `turn` is for is told when it rings.
    pub(crate) fn watch(&self, turn: &Turn<'_>) -> io::Result<()> {
        turn.watch(self.0.as_fd(), 0, Interest { read: true, write: false, edge: false })
    }

    /// Whoever sleeps wakes.
    pub(crate) fn ring(&self) {
        // It fails only when it has been rung 2⁶⁴ − 2 times and not heard once: then it rings already.
        let _ = rustix::io::write(&self.0, &1_u64.to_ne_bytes());
    }

    /// It rings no more.
    pub(crate) fn hear(&self) {
        // EAGAIN: it did not ring.
        let _ = rustix::io::read(&self.0, &mut [0_u8; 8]);
    }
}
