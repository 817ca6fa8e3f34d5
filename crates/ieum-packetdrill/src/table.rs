//! Descriptors by their numbers, which are real ones of this process ([`crate::placeholder`]).

use std::collections::BTreeMap;

use ieum_socket::{Epoll, Errno, SocketId};

/// What an open file is.
#[derive(Clone, Debug)]
pub(crate) enum Kind {
    Socket(SocketId),
    /// One end of a pipe.
    Pipe {
        pipe: usize,
        reads: bool,
    },
    Epoll(Epoll),
}

/// An open file, which one or more numbers name.
#[derive(Clone, Debug)]
pub(crate) struct Open {
    pub(crate) kind: Kind,
    pub(crate) nonblocking: bool,
    references: usize,
}

/// All descriptors that were handed out.
#[derive(Default, Debug)]
pub(crate) struct Table {
    numbers: BTreeMap<i32, usize>,
    opens: Vec<Open>,
    /// What stands in each pipe.
    pub(crate) pipes: Vec<Vec<u8>>,
}

impl Table {
    /// Gives a number to something new. What the number named before is returned if nothing else names it: somebody
    /// closed the descriptor without telling.
    pub(crate) fn add(&mut self, number: i32, kind: Kind, nonblocking: bool) -> Option<Kind> {
        let before = self.close(number).ok().flatten();
        self.opens.push(Open { kind, nonblocking, references: 1 });
        self.numbers.insert(number, self.opens.len() - 1);
        before
    }

    /// A second number for the same thing.
    pub(crate) fn duplicate(&mut self, number: i32, copy: i32) -> Result<Option<Kind>, Errno> {
        let at = self.place(number)?;
        let before = self.close(copy).ok().flatten();
        self.opens[at].references += 1;
        self.numbers.insert(copy, at);
        Ok(before)
    }

    /// Is the number one of ours?
    pub(crate) fn has(&self, number: i32) -> bool {
        self.numbers.contains_key(&number)
    }

    /// What a number names.
    pub(crate) fn get(&self, number: i32) -> Result<&Open, Errno> {
        Ok(&self.opens[self.place(number)?])
    }

    /// The same, to change it.
    pub(crate) fn get_mut(&mut self, number: i32) -> Result<&mut Open, Errno> {
        let at = self.place(number)?;
        Ok(&mut self.opens[at])
    }

    /// Frees a number; what it named is returned when it was the last one.
    pub(crate) fn close(&mut self, number: i32) -> Result<Option<Kind>, Errno> {
        let at = self.numbers.remove(&number).ok_or(Errno::EBADF)?;
        let open = &mut self.opens[at];
        open.references -= 1;
        Ok((open.references == 0).then(|| open.kind.clone()))
    }

    /// All epolls.
    pub(crate) fn epolls(&mut self) -> impl Iterator<Item = &mut Epoll> {
        self.opens.iter_mut().filter_map(|open| match &mut open.kind {
            Kind::Epoll(epoll) => Some(epoll),
            Kind::Socket(_) | Kind::Pipe { .. } => None,
        })
    }

    fn place(&self, number: i32) -> Result<usize, Errno> {
        self.numbers.get(&number).copied().ok_or(Errno::EBADF)
    }
}
