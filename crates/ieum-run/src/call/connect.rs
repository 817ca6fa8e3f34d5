//! connect(2).
//!
//! A blocking connect leaves S unconnected and is held until the host knows the outcome; a non-blocking one, or one whose
//! caller went away, fills S so that it is not writable before the outcome.

use std::net::SocketAddr;
use std::os::fd::AsFd;

use ieum_engine::Turn;
use ieum_socket::{Connect, Errno, Kind};
use rustix::fs::OFlags;
use rustix::net::sockopt::{Timeout, socket_timeout};

use crate::address::{self, Address, Use};
use crate::carrier;
use crate::name::Bearer;
use crate::notification::Call;
use crate::runner::{EDGES, Runner, Source};
use crate::serve::{Answer, Served, is_nonblocking};
use crate::socket::{Carrier, Connecting, host_errno};
use crate::tracee;

impl Runner {
    pub(crate) fn call_connect(&mut self, turn: &Turn<'_>, call: &Call) -> Served {
        let Some(number) = self.identify(call) else { return Ok(Answer::Continue) };
        let socket = self.sockets.get(number).ok_or(Errno::EBADF)?;
        let (kind, domain) = (socket.kind, socket.domain);
        let purpose = if kind == Kind::Stream { Use::Connect } else { Use::Associate };
        let address = address::read(&self.memory(call), call.word(1), call.int(2), domain, purpose);
        let address = match address.map_err(host_errno)? {
            Address::Internet(address) => Some(address),
            Address::Unspecified => None,
        };
        match kind {
            Kind::Stream => self.connect_stream(turn, call, number, address),
            Kind::Datagram => self.connect_datagram(turn, number, address),
        }
    }

    fn connect_stream(
        &mut self,
        turn: &Turn<'_>,
        call: &Call,
        number: u64,
        address: Option<SocketAddr>,
    ) -> Served {
        // Our own end will need a descriptor when the peer has answered, and then it is too late to say no.
        carrier::keep_some_free(&self.copy(number)?).map_err(host_errno)?;
        let id = self.sockets.get(number).ok_or(Errno::EBADF)?.host;
        let outcome = self.host.connect(turn.now, id, address);
        let socket = self.sockets.get(number).ok_or(Errno::EBADF)?;
        if matches!(socket.carrier, Carrier::Spent | Carrier::Over)
            && outcome.is_ok_and(|outcome| outcome == Connect::InProgress || address.is_none())
        {
            self.renew(call, number)?;
        }
        match outcome {
            Ok(Connect::Done) => {
                match address {
                    Some(_) => self.established(turn, number),
                    None => self.disconnected(call, number)?,
                }
                Ok(Answer::Value(0))
            }
            Ok(Connect::InProgress) => self.wait_for_outcome(turn, number, Errno::EINPROGRESS),
            Err(Errno::EALREADY) => self.wait_for_outcome(turn, number, Errno::EALREADY),
            Err(errno) => {
                if matches!(
                    self.sockets.get(number).map(|socket| &socket.carrier),
                    Some(Carrier::Connecting(_))
                ) {
                    self.refused(number);
                }
                // The error is told hereby; what S shows of it is taken back.
                let _ = self.take_error(number);
                Err(errno)
            }
        }
    }

    /// Holds the call of a blocking socket; tells that of a non-blocking one to wait by itself.
    fn wait_for_outcome(&mut self, turn: &Turn<'_>, number: u64, nonblocking: Errno) -> Served {
        let copy = self.copy(number)?;
        let is_filled = self.is_filled(number);
        if is_nonblocking(&copy) {
            drop(copy);
            if !is_filled {
                self.fill(turn, number);
            }
            return Err(nonblocking);
        }
        let patience = socket_timeout(&copy, Timeout::Send).ok().flatten();
        if !is_filled {
            self.set_carrier(number, Carrier::Connecting(Connecting::Held));
            self.check_held_later(turn.now);
        }
        Ok(Answer::Wait { socket: number, deadline: patience.map(|patience| turn.now + patience) })
    }

    /// S looks like a socket that connects.
    pub(crate) fn is_filled(&self, number: u64) -> bool {
        self.sockets
            .get(number)
            .is_some_and(|socket| matches!(socket.carrier, Carrier::Connecting(Connecting::Filled { .. })))
    }

    /// The program dissolved its connection: a fresh S takes the place of the one that was connected.
    fn disconnected(&mut self, call: &Call, number: u64) -> Result<(), Errno> {
        let is_fresh =
            self.sockets.get(number).is_some_and(|socket| matches!(socket.carrier, Carrier::Fresh));
        if is_fresh { Ok(()) } else { self.renew(call, number) }
    }

    /// Puts a fresh S in the place of one that cannot be connected again. Other descriptors of the old one keep it.
    pub(crate) fn renew(&mut self, call: &Call, number: u64) -> Result<(), Errno> {
        let copy = self.copy(number)?;
        let socket = self.sockets.get(number).ok_or(Errno::EBADF)?;
        let (kind, place) = (socket.unix_kind(), socket.place.ok_or(Errno::EBADF)?);
        let nonblocking = rustix::fs::fcntl_getfl(&copy).map_err(host_errno)?.contains(OFlags::NONBLOCK);
        self.serial += 1;
        let name = self.names.name(Bearer::Program(number, self.serial)).map_err(host_errno)?;
        let (program_end, inode) = super::socket::make(kind, nonblocking, &name).map_err(host_errno)?;
        self.trees
            .replace(call, program_end.as_fd(), place.descriptor, tracee::closes_on_exec(place))
            .map_err(host_errno)?;
        self.sockets.set_inode(number, inode);
        if let Some(socket) = self.sockets.get_mut(number) {
            socket.name = Some(name);
            socket.carrier = Carrier::Fresh;
            socket.shows_error = false;
        }
        Ok(())
    }

    fn connect_datagram(&mut self, turn: &Turn<'_>, number: u64, address: Option<SocketAddr>) -> Served {
        // What was written before belongs to the association as it was.
        self.move_datagrams(turn, number);
        let id = self.sockets.get(number).ok_or(Errno::EBADF)?.host;
        self.host.connect(turn.now, id, address)?;
        // Port 0 names nobody to getpeername, but a ping socket's peer has no other.
        let remote = address.map(|address| self.host.remote_address(id).unwrap_or(address));
        let copy = self.copy(number)?;
        let socket = self.sockets.get_mut(number).ok_or(Errno::EBADF)?;
        let (Carrier::Datagram(datagram), Some(name)) = (&mut socket.carrier, &socket.name) else {
            return Err(Errno::EINVAL);
        };
        match remote {
            Some(remote) => {
                let own_end =
                    datagram.connect(copy.as_fd(), name, &self.names, number, remote).map_err(host_errno)?;
                turn.watch(own_end, Source::Carrier(number).key(), EDGES).map_err(|_| Errno::ENFILE)?;
            }
            None => datagram.disconnect(copy.as_fd()).map_err(host_errno)?,
        }
        Ok(Answer::Value(0))
    }
}
