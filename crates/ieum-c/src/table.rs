//! The numbers of this process: what each names.

use std::io;
use std::sync::{Arc, LazyLock, Mutex, MutexGuard, PoisonError};

use ieum::net::{Epoll, Socket};
use ieum::sockets::{DescriptorTable, Errno};
use ieum::{Host, HostBuilder, Link, Network};
use slotmap::SlotMap;

use crate::IEUM_FIRST;
use crate::answer::error;

/// Numbers at most, as many as the kernel would give.
const NUMBERS_MAX: usize = 1 << 20;

slotmap::new_key_type! {
    /// Something open.
    struct OpenId;
}

/// What a number names.
#[derive(Debug)]
pub(crate) enum Open {
    Network(Network),
    Link(Link),
    Host(Mutex<HostState>),
    Socket(Socket),
    Epoll(Epoll),
}

/// A host, from its first word to its start.
#[derive(Debug)]
pub(crate) enum HostState {
    /// Chosen, not made.
    Planned(Box<HostBuilder>),
    /// It could not be made.
    Failed,
    Running(Host),
}

struct Table {
    numbers: DescriptorTable<OpenId>,
    opens: SlotMap<OpenId, Arc<Open>>,
}

static TABLE: LazyLock<Mutex<Table>> = LazyLock::new(|| {
    Mutex::new(Table { numbers: DescriptorTable::new(NUMBERS_MAX), opens: SlotMap::with_key() })
});

/// Gives a number to something new: the lowest that is free.
pub(crate) fn add(open: Open) -> io::Result<i64> {
    let mut table = lock();
    let id = table.opens.insert(Arc::new(open));
    match table.numbers.insert(id) {
        Ok(place) => Ok(number(place)),
        Err(errno) => {
            let open = table.opens.remove(id);
            drop(table);
            drop(open);
            Err(told(errno))
        }
    }
}

/// What a number names.
pub(crate) fn get(number: i32) -> io::Result<Arc<Open>> {
    let table = lock();
    let id = table.numbers.get(place(number)?).map_err(told)?;
    table.opens.get(id).cloned().ok_or_else(|| error(libc::EBADF))
}

/// A second number for the same thing, not below `lowest`.
pub(crate) fn duplicate(number: i32, lowest: i32) -> io::Result<i64> {
    let lowest = place(lowest.max(IEUM_FIRST))?;
    let copy = lock().numbers.dup_from(place(number)?, lowest).map_err(told)?;
    Ok(self::number(copy))
}

/// Frees a number; what had no other ends when it is dropped, which is not done under the lock: it may wake others.
pub(crate) fn close(number: i32) -> io::Result<()> {
    let mut table = lock();
    let last = table.numbers.close(place(number)?).map_err(told)?;
    let open = last.and_then(|id| table.opens.remove(id));
    drop(table);
    drop(open);
    Ok(())
}

impl Open {
    pub(crate) fn socket(&self) -> io::Result<&Socket> {
        match self {
            Open::Socket(socket) => Ok(socket),
            Open::Network(_) | Open::Link(_) | Open::Host(_) | Open::Epoll(_) => Err(error(libc::ENOTSOCK)),
        }
    }

    pub(crate) fn epoll(&self) -> io::Result<&Epoll> {
        match self {
            Open::Epoll(epoll) => Ok(epoll),
            Open::Network(_) | Open::Link(_) | Open::Host(_) | Open::Socket(_) => Err(error(libc::EINVAL)),
        }
    }
}

fn lock() -> MutexGuard<'static, Table> {
    TABLE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The place in the table that a number has.
fn place(number: i32) -> io::Result<usize> {
    number
        .checked_sub(IEUM_FIRST)
        .and_then(|place| usize::try_from(place).ok())
        .ok_or_else(|| error(libc::EBADF))
}

fn number(place: usize) -> i64 {
    i64::from(IEUM_FIRST) + i64::try_from(place).expect("a place is below the limit")
}

fn told(errno: Errno) -> io::Error {
    error(errno.0)
}
