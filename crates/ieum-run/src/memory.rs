//! The caller's memory: what its arguments point to.
//!
//! Between a notification and a look into memory the caller may have died and its number passed to another; so each
//! read is believed, and each write made, only while the notification is valid.

use rustix::io::Errno;

use crate::notification::Call;
use crate::tree::Trees;

/// The memory of a caller that waits.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Memory<'a> {
    trees: &'a Trees,
    call: &'a Call,
}

impl<'a> Memory<'a> {
    pub(crate) fn new(trees: &'a Trees, call: &'a Call) -> Memory<'a> {
        Memory { trees, call }
    }

    /// Exactly `len` bytes.
    ///
    /// # Errors
    ///
    /// EFAULT when they are not all there, ESRCH when nobody waits any more.
    pub(crate) fn read(&self, address: u64, len: usize) -> Result<Vec<u8>, Errno> {
        let mut bytes = vec![0; len];
        self.read_into(address, &mut bytes)?;
        Ok(bytes)
    }

    pub(crate) fn read_array<const N: usize>(&self, address: u64) -> Result<[u8; N], Errno> {
        let mut bytes = [0; N];
        self.read_into(address, &mut bytes)?;
        Ok(bytes)
    }

    pub(crate) fn read_int(&self, address: u64) -> Result<i32, Errno> {
        self.read_array(address).map(i32::from_ne_bytes)
    }

    fn read_into(&self, address: u64, bytes: &mut [u8]) -> Result<(), Errno> {
        if bytes.is_empty() {
            return Ok(());
        }
        let count = self.trees.access(self.call.tree)?.read(self.call.thread, address, bytes)?;
        if !self.trees.is_valid(self.call) {
            return Err(Errno::SRCH);
        }
        if count == bytes.len() { Ok(()) } else { Err(Errno::FAULT) }
    }

    /// All of `bytes`.
    pub(crate) fn write(&self, address: u64, bytes: &[u8]) -> Result<(), Errno> {
        if bytes.is_empty() {
            return Ok(());
        }
        if !self.trees.is_valid(self.call) {
            return Err(Errno::SRCH);
        }
        let count = self.trees.access(self.call.tree)?.write(self.call.thread, address, bytes)?;
        if count == bytes.len() { Ok(()) } else { Err(Errno::FAULT) }
    }

    pub(crate) fn write_int(&self, address: u64, value: i32) -> Result<(), Errno> {
        self.write(address, &value.to_ne_bytes())
    }
}
