//! Descriptors by the numbers that a script gives them.

use ieum_socket::{Epoll, SocketId};

use crate::stop::Stop;

/// What an open file is.
#[derive(Clone, Debug)]
pub(super) enum Kind {
    Socket(SocketId),
    /// One end of a pipe, by number; `Some` is the end that reads.
    Pipe {
        pipe: usize,
        reads: bool,
    },
    /// A file of the machine, as it was when it was opened.
    File(Vec<u8>),
    Epoll(Epoll),
}

/// An open file, which one or more numbers name.
#[derive(Clone, Debug)]
pub(super) struct Open {
    pub(super) kind: Kind,
    pub(super) nonblocking: bool,
    references: usize,
}

/// A number that names an open file.
#[derive(Clone, Copy, Debug)]
struct Descriptor {
    number: i32,
    open: usize,
    flow: Option<usize>,
    closed: bool,
}

/// All descriptors of a script.
#[derive(Default, Debug)]
pub(crate) struct Table {
    descriptors: Vec<Descriptor>,
    opens: Vec<Open>,
    /// What stands in each pipe.
    pub(super) pipes: Vec<Vec<u8>>,
}

impl Table {
    /// Has nothing been opened yet?
    pub(crate) fn is_fresh(&self) -> bool {
        self.opens.is_empty()
    }

    /// Gives a number to something new.
    pub(super) fn add(
        &mut self,
        number: i32,
        kind: Kind,
        nonblocking: bool,
        flow: Option<usize>,
    ) -> Result<(), Stop> {
        self.must_be_free(number)?;
        self.add_over(number, kind, nonblocking, flow);
        Ok(())
    }

    /// Gives a number to something new, though something older may have it: that is not reached by it any more.
    pub(super) fn add_over(&mut self, number: i32, kind: Kind, nonblocking: bool, flow: Option<usize>) {
        self.opens.push(Open { kind, nonblocking, references: 1 });
        self.descriptors.push(Descriptor { number, open: self.opens.len() - 1, flow, closed: false });
    }

    fn must_be_free(&self, number: i32) -> Result<(), Stop> {
        match self.descriptor(number) {
            Ok(_) => Err(Stop::failed(format!("duplicate fd {number} in script"))),
            Err(_) => Ok(()),
        }
    }

    fn descriptor(&self, number: i32) -> Result<Descriptor, Stop> {
        let open = self.descriptors.iter().rev().find(|other| other.number == number && !other.closed);
        open.copied().ok_or_else(|| Stop::failed(format!("unable to find fd with script fd {number}")))
    }

    /// What a number names.
    pub(super) fn get(&self, number: i32) -> Result<&Open, Stop> {
        Ok(&self.opens[self.descriptor(number)?.open])
    }

    pub(super) fn get_mut(&mut self, number: i32) -> Result<&mut Open, Stop> {
        let at = self.descriptor(number)?.open;
        Ok(&mut self.opens[at])
    }

    /// The flow of a socket.
    pub(super) fn flow(&self, number: i32) -> Result<Option<usize>, Stop> {
        Ok(self.descriptor(number)?.flow)
    }

    /// The socket by which a flow is reached.
    pub(super) fn socket_of(&self, flow: usize) -> Option<SocketId> {
        let of_flow = |other: &&Descriptor| other.flow == Some(flow) && !other.closed;
        let descriptor = self.descriptors.iter().find(of_flow)?;
        match self.opens[descriptor.open].kind {
            Kind::Socket(id) => Some(id),
            Kind::Pipe { .. } | Kind::File(_) | Kind::Epoll(_) => None,
        }
    }

    /// A second number for the same thing.
    pub(super) fn dup(&mut self, number: i32, target: i32) -> Result<(), Stop> {
        self.must_be_free(target)?;
        let descriptor = self.descriptor(number)?;
        self.opens[descriptor.open].references += 1;
        self.descriptors.push(Descriptor { number: target, ..descriptor });
        Ok(())
    }

    /// Frees a number; what it named is returned when it was the last one.
    pub(super) fn close(&mut self, number: i32) -> Result<Option<Kind>, Stop> {
        let open = self.descriptor(number)?.open;
        if let Some(descriptor) =
            self.descriptors.iter_mut().rev().find(|other| other.number == number && !other.closed)
        {
            descriptor.closed = true;
        }
        let open = &mut self.opens[open];
        open.references -= 1;
        Ok((open.references == 0).then(|| open.kind.clone()))
    }

    /// All epolls.
    pub(super) fn epolls(&mut self) -> impl Iterator<Item = &mut Epoll> {
        self.opens.iter_mut().filter_map(|open| match &mut open.kind {
            Kind::Epoll(epoll) => Some(epoll),
            Kind::Socket(_) | Kind::Pipe { .. } | Kind::File(_) => None,
        })
    }
}
