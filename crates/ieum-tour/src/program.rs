//! The calls of the tour's programs: each is made on its host, waits as a blocking call does, and is written down as it would
//! be written in C, with its answer.

use std::net::{IpAddr, SocketAddr};

use ieum_socket::numbers::{IP_ADD_MEMBERSHIP, IPPROTO_IP, SO_REUSEADDR, SOL_SOCKET};
use ieum_socket::{Connect, Errno, Host, How, Kind, Readiness, SocketId};

use crate::event::{Call, What};
use crate::frame::text;
use crate::stage::{Open, Stage, Who};
use crate::surprise::Surprise;

/// AF_INET.
const AF_INET: i32 = 2;

/// The room for what is read in one call, in bytes: more than any step sends at once.
const BUFFER_BYTES: usize = 8192;

/// A call that was made and has not returned.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Pending {
    who: Who,
    fd: usize,
    to: SocketAddr,
    /// Its place among the events.
    at: usize,
}

/// socket(2) and its descriptors.
impl Stage {
    /// `socket`: the new descriptor.
    pub(crate) fn socket(&mut self, who: Who, kind: Kind) -> Result<usize, Surprise> {
        let (name, number) = match kind {
            Kind::Stream => ("SOCK_STREAM", 1),
            Kind::Datagram => ("SOCK_DGRAM", 2),
        };
        let call = self.begin(who, format!("fd = socket(AF_INET, {name}, 0)"));
        let outcome = self.open(who, |host| Ok((host.socket(AF_INET, number, 0)?, ())));
        self.end(call, outcome.map(|(fd, ())| fd), None)
    }

    /// `close`.
    pub(crate) fn close(&mut self, who: Who, fd: usize) -> Result<usize, Surprise> {
        let call = self.begin(who, format!("close({fd})"));
        let now = self.now();
        let outcome = self.descriptors(who).close(fd);
        if let Ok(Some(Open::Socket(id))) = outcome {
            self.inside_mut(who).close(now, id);
        }
        self.end(call, outcome.map(|_| 0), None)
    }

    /// `setrlimit(RLIMIT_NOFILE)`: the program gets no descriptors beyond so many.
    pub(crate) fn limit_descriptors(&mut self, who: Who, limit: usize) -> Result<usize, Surprise> {
        let call = self.begin(who, format!("setrlimit(RLIMIT_NOFILE, {limit})"));
        self.descriptors(who).set_limit(limit);
        let is_set = self.descriptors(who).limit() == limit;
        self.end(call, if is_set { Ok(0) } else { Err(Errno::EINVAL) }, None)
    }

    /// A new descriptor for what `make` makes. The number is taken first, as by the kernel: without a free one nothing is made.
    fn open<T>(
        &mut self,
        who: Who,
        make: impl FnOnce(&mut Host) -> Result<(SocketId, T), Errno>,
    ) -> Result<(usize, T), Errno> {
        let reserved = self.descriptors(who).insert(Open::Reserved)?;
        let made = make(self.inside_mut(who));
        self.descriptors(who).close(reserved)?;
        let (id, told) = made?;
        Ok((self.descriptors(who).insert(Open::Socket(id))?, told))
    }

    /// The socket behind a descriptor.
    pub(crate) fn id(&mut self, who: Who, fd: usize) -> Result<SocketId, Errno> {
        match self.descriptors(who).get(fd)? {
            Open::Socket(id) => Ok(id),
            Open::Terminal(_) | Open::Reserved => Err(Errno::EBADF),
        }
    }

    /// What poll(2) would show of a descriptor.
    pub(crate) fn readiness(&mut self, who: Who, fd: usize) -> Readiness {
        self.id(who, fd).map(|id| self.inside(who).readiness(id)).unwrap_or_default()
    }
}

/// Names and options.
impl Stage {
    /// `bind`.
    pub(crate) fn bind(&mut self, who: Who, fd: usize, address: SocketAddr) -> Result<usize, Surprise> {
        let call = self.begin(who, format!("bind({fd}, {address})"));
        let outcome = self.id(who, fd).and_then(|id| self.inside_mut(who).bind(id, address));
        self.end(call, outcome.map(|()| 0), None)
    }

    /// `getsockname`.
    pub(crate) fn local_address(&mut self, who: Who, fd: usize) -> Result<SocketAddr, Surprise> {
        let call = self.begin(who, format!("getsockname({fd})"));
        let outcome = self.id(who, fd).and_then(|id| self.inside(who).local_address(id));
        self.end(call, outcome.map(|_| 0), outcome.ok().map(|address| address.to_string()))?;
        outcome.map_err(|errno| Surprise::Refused { call: "getsockname".to_owned(), errno })
    }

    /// `setsockopt(SO_REUSEADDR)`.
    pub(crate) fn reuse_address(&mut self, who: Who, fd: usize) -> Result<usize, Surprise> {
        let call = self.begin(who, format!("setsockopt({fd}, SO_REUSEADDR, 1)"));
        let now = self.now();
        let one = 1i32.to_ne_bytes();
        let outcome = self
            .id(who, fd)
            .and_then(|id| self.inside_mut(who).set_option(now, id, SOL_SOCKET, SO_REUSEADDR, &one));
        self.end(call, outcome.map(|()| 0), None)
    }

    /// `setsockopt(IP_ADD_MEMBERSHIP)`: the host joins a group on the link.
    pub(crate) fn join(&mut self, who: Who, fd: usize, group: [u8; 4]) -> Result<usize, Surprise> {
        let shown = IpAddr::from(group);
        let call = self.begin(who, format!("setsockopt({fd}, IP_ADD_MEMBERSHIP, {shown})"));
        let now = self.now();
        // An ip_mreq: the group, and INADDR_ANY for the interface.
        let request = [group, [0; 4]].concat();
        let outcome = self
            .id(who, fd)
            .and_then(|id| self.inside_mut(who).set_option(now, id, IPPROTO_IP, IP_ADD_MEMBERSHIP, &request));
        self.end(call, outcome.map(|()| 0), None)
    }

    /// `ioctl(FIONREAD)`: bytes that can be read now.
    pub(crate) fn readable(&mut self, who: Who, fd: usize) -> Result<usize, Surprise> {
        let call = self.begin(who, format!("ioctl({fd}, FIONREAD, &n)"));
        let outcome = self.id(who, fd).map(|id| {
            let sockets = self.inside(who).sockets();
            sockets.iter().find(|socket| socket.id == Some(id)).map_or(0, |socket| socket.recv_queue)
        });
        let gives = outcome.ok().map(|count| format!("n={count}"));
        self.end(call, outcome.map(|_| 0), gives)?;
        Ok(outcome.unwrap_or_default())
    }
}

/// Connections.
impl Stage {
    /// `listen`.
    pub(crate) fn listen(&mut self, who: Who, fd: usize, backlog: i32) -> Result<usize, Surprise> {
        let call = self.begin(who, format!("listen({fd}, {backlog})"));
        let outcome = self.id(who, fd).and_then(|id| self.inside_mut(who).listen(id, backlog));
        self.end(call, outcome.map(|()| 0), None)
    }

    /// `connect`, until there is a connection or none will be.
    pub(crate) fn connect(&mut self, who: Who, fd: usize, to: SocketAddr) -> Result<usize, Surprise> {
        let pending = self.connect_begin(who, fd, to)?;
        self.connect_end(pending)
    }

    /// `connect`, which then waits while others do something.
    pub(crate) fn connect_begin(&mut self, who: Who, fd: usize, to: SocketAddr) -> Result<Pending, Surprise> {
        let at = self.begin(who, format!("connect({fd}, {to})"));
        let now = self.now();
        let outcome = self.id(who, fd).and_then(|id| self.inside_mut(who).connect(now, id, Some(to)));
        if let Err(errno) = outcome {
            self.end(at, Err(errno), None)?;
        }
        self.look();
        Ok(Pending { who, fd, to, at })
    }

    /// The end of that call.
    pub(crate) fn connect_end(&mut self, pending: Pending) -> Result<usize, Surprise> {
        let Pending { who, fd, to, at } = pending;
        let outcome = self.until("a connection", |stage| {
            let now = stage.now();
            let asked = stage.id(who, fd).and_then(|id| stage.inside_mut(who).connect(now, id, Some(to)));
            match asked {
                Ok(Connect::InProgress) | Err(Errno::EALREADY) => None,
                // A datagram socket, or one that was asked once more.
                Ok(Connect::Done) | Err(Errno::EISCONN) => Some(Ok(0)),
                Err(errno) => Some(Err(errno)),
            }
        })?;
        self.end(at, outcome, None)
    }

    /// `accept`, as soon as there is a connection: its descriptor and the peer.
    pub(crate) fn accept(&mut self, who: Who, fd: usize) -> Result<(usize, SocketAddr), Surprise> {
        let call = self.begin(who, format!("conn = accept({fd})"));
        let outcome = self.until("a connection to accept", |stage| {
            let listener = stage.id(who, fd);
            let accepted = listener.and_then(|id| stage.open(who, |host| host.accept(id)));
            Some(accepted).filter(|accepted| !matches!(accepted, Err(Errno::EAGAIN)))
        })?;
        let gives = outcome.ok().map(|(_, peer)| format!("from {peer}"));
        self.end(call, outcome.map(|(fd, _)| fd), gives)?;
        outcome.map_err(|errno| Surprise::Refused { call: format!("accept({fd})"), errno })
    }

    /// `shutdown(SHUT_WR)`.
    pub(crate) fn shutdown(&mut self, who: Who, fd: usize) -> Result<usize, Surprise> {
        let call = self.begin(who, format!("shutdown({fd}, SHUT_WR)"));
        let now = self.now();
        let outcome = self.id(who, fd).and_then(|id| self.inside_mut(who).shutdown(now, id, How::Write));
        self.end(call, outcome.map(|()| 0), None)
    }
}

/// Bytes and datagrams.
impl Stage {
    /// `write`.
    pub(crate) fn write(&mut self, who: Who, fd: usize, bytes: &[u8]) -> Result<usize, Surprise> {
        let call = self.begin(who, format!("write({fd}, {})", argument(bytes)));
        let now = self.now();
        let outcome = self.id(who, fd).and_then(|id| self.inside_mut(who).send(now, id, bytes));
        self.end(call, outcome, None)
    }

    /// `read`, as soon as there is something: what was read; nothing is the end of the stream.
    pub(crate) fn read(&mut self, who: Who, fd: usize) -> Result<Vec<u8>, Surprise> {
        let call = self.begin(who, format!("read({fd}, buf, {BUFFER_BYTES})"));
        let mut buffer = vec![0; BUFFER_BYTES];
        let outcome = self.until("bytes", |stage| {
            let now = stage.now();
            let id = stage.id(who, fd);
            let read = id.and_then(|id| stage.inside_mut(who).recv(now, id, &mut buffer, false));
            Some(read).filter(|read| *read != Err(Errno::EAGAIN))
        })?;
        buffer.truncate(outcome.unwrap_or(0));
        self.end(call, outcome, text(&buffer).map(|text| format!("\"{text}\"")))?;
        Ok(buffer)
    }

    /// `sendto`.
    pub(crate) fn send_to(
        &mut self,
        who: Who,
        fd: usize,
        bytes: &[u8],
        to: SocketAddr,
    ) -> Result<usize, Surprise> {
        let call = self.begin(who, format!("sendto({fd}, {}, {to})", argument(bytes)));
        let now = self.now();
        let outcome = self.id(who, fd).and_then(|id| self.inside_mut(who).send_to(now, id, bytes, Some(to)));
        self.end(call, outcome, None)
    }

    /// `recvfrom`, as soon as there is a datagram: what it carried, and whose it was.
    pub(crate) fn recv_from(&mut self, who: Who, fd: usize) -> Result<(Vec<u8>, SocketAddr), Surprise> {
        let call = self.begin(who, format!("recvfrom({fd}, buf, {BUFFER_BYTES}, &from)"));
        let outcome = self.until("a datagram", |stage| {
            let now = stage.now();
            let received = stage.id(who, fd).and_then(|id| stage.inside_mut(who).recv_from(now, id, false));
            Some(received).filter(|received| !matches!(received, Err(Errno::EAGAIN)))
        })?;
        match outcome {
            Ok((bytes, from)) => {
                let gives = text(&bytes).map_or_else(String::new, |text| format!("\"{text}\" "));
                self.end(call, Ok(bytes.len()), Some(format!("{gives}from {from}")))?;
                Ok((bytes, from))
            }
            Err(errno) => {
                self.end(call, Err(errno), None)?;
                Err(Surprise::Refused { call: format!("recvfrom({fd})"), errno })
            }
        }
    }
}

/// How calls are written down.
impl Stage {
    /// A call is made; its place among the events.
    fn begin(&mut self, who: Who, call: String) -> usize {
        let host = self.name(who);
        self.add(What::Call(Call { host, call, waited: false, result: 0, errno: None, gives: None }));
        self.events().len() - 1
    }

    /// It returns; where that is not at once, this is an event of its own.
    fn end(
        &mut self,
        at: usize,
        outcome: Result<usize, Errno>,
        gives: Option<String>,
    ) -> Result<usize, Surprise> {
        let now = self.now();
        let event = &mut self.events()[at];
        let has_waited = event.at_ms.0 < now.micros();
        let What::Call(call) = &mut event.what else { unreachable!("calls stay in their places") };
        call.waited = has_waited;
        call.result = outcome.map_or(-1, |result| i64::try_from(result).unwrap_or(i64::MAX));
        call.errno = outcome.err().map(|errno| errno.to_string());
        call.gives = gives;
        let call = call.clone();
        let written = call.call.clone();
        if has_waited {
            self.add(What::Return(call));
        }
        self.look();
        outcome.map_err(|errno| Surprise::Refused { call: written, errno })
    }
}

/// Bytes as the arguments of a call in C, with their number.
fn argument(bytes: &[u8]) -> String {
    let what = text(bytes).map_or_else(|| "data".to_owned(), |text| format!("\"{text}\""));
    format!("{what}, {}", bytes.len())
}
