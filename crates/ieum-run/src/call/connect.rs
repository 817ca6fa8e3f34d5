//! connect(2).
//!
//! A blocking connect leaves S unconnected and is held until the host knows the outcome; a non-blocking one, or one whose
//! caller went away, fills S so that it is not writable before the outcome.

use std::net::SocketAddr;
use std::os::fd::{AsFd, OwnedFd};
use std::time::Duration;

use ieum_engine::Turn;
use ieum_socket::{Connect, Errno, Kind};
use rustix::io::Errno as Unfit;
use rustix::net::Shutdown;

use crate::address::{self, Address, Use};
use crate::carrier;
use crate::notification::Call;
use crate::runner::{EDGES, Runner, Source};
use crate::serve::{Answer, Served, is_nonblocking};
use crate::socket::{Carrier, Connecting, Socket, host_errno};
use crate::sys::{Reply, number as n};

impl Runner {
    pub(crate) fn call_connect(&mut self, turn: &Turn<'_>, call: &Call) -> Served {
        let Some(number) = self.identify(call) else { return Ok(Answer::Continue) };
        let socket = self.sockets.get(number).ok_or(Errno::EBADF)?;
        let (id, kind, domain) = (socket.host, socket.kind, socket.domain);
        let purpose = if kind == Kind::Stream { Use::Connect } else { Use::Associate };
        let address = address::read(&self.memory(call), call.word(1), call.int(2), domain, purpose);
        let address = match address {
            Ok(Address::Internet(address)) => Some(address),
            Ok(Address::Unspecified) => None,
            // Linux looks at the address of a stream only when there is nothing else to say.
            Err(Unfit::INVAL | Unfit::AFNOSUPPORT)
                if kind == Kind::Stream
                    && address::names_family(call.int(2))
                    && !self.host.is_unconnected(id) =>
            {
                Some(address::wildcard(domain))
            }
            Err(errno) => {
                if kind == Kind::Datagram && errno != Unfit::FAULT && address::names_family(call.int(2)) {
                    // It has a port from now on all the same.
                    self.bind_as_needed(turn, id)?;
                }
                return Err(host_errno(errno));
            }
        };
        if self.is_raw(number) && domain == n::AF_INET6 && self.names_ip4(call, call.word(1)) {
            return Err(Errno::EAFNOSUPPORT);
        }
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
        self.catch_up(turn, number);
        let Some(address) = address else { return self.disconnect_stream(turn, call, number) };
        let id = self.sockets.get(number).ok_or(Errno::EBADF)?.host;
        if let Some(errno) = self.host.refuses_connect(id) {
            // Before anything that S shows is taken from it.
            return Err(errno);
        }
        if self.host.is_unconnected(id) {
            // Our own end will need a descriptor when the peer has answered, and then it is too late to say no.
            carrier::keep_some_free(&self.copy(number)?).map_err(host_errno)?;
            self.renew_if_spent(call, number)?;
        }
        let pending = self.take_shown_error(number)?;
        let connected = match self.host.connect(turn.now, id, Some(address)) {
            // Whoever has the ports to choose from may have been closed without a sign.
            Err(Errno::EADDRNOTAVAIL) if self.sweep(turn) => self.host.connect(turn.now, id, Some(address)),
            connected => connected,
        };
        match connected {
            Ok(Connect::Done) => {
                self.established(turn, number);
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
                self.renew_if_spent(call, number)?;
                Err(pending.filter(|_| errno == Errno::ECONNABORTED).unwrap_or(errno))
            }
        }
    }

    /// connect(AF_UNSPEC): S is fresh from now on, and the host's socket like new.
    fn disconnect_stream(&mut self, turn: &Turn<'_>, call: &Call, number: u64) -> Served {
        let socket = self.sockets.get(number).ok_or(Errno::EBADF)?;
        let (id, was_listening) = (socket.host, matches!(socket.carrier, Carrier::Listening(_)));
        let is_like_new = !socket.shut_unconnected
            && matches!(socket.carrier, Carrier::Fresh | Carrier::Connecting(Connecting::Held));
        let pending = self.take_shown_error(number)?;
        let before = if is_like_new { None } else { Some(self.renew(call, number)?) };
        self.set_carrier(number, Carrier::Fresh);
        self.host.connect(turn.now, id, None)?;
        self.keep_error(number, pending);
        if let Some(before) = before
            && was_listening
        {
            // Those who wait on it hear of it.
            let _ = rustix::net::shutdown(&before, Shutdown::Both);
        }
        self.fail_held_connects(number);
        self.retry_held(turn, number);
        Ok(Answer::Value(0))
    }

    /// Those who wait for a connection that was given up: its error is told to the first.
    pub(crate) fn fail_held_connects(&mut self, number: u64) {
        for held in self.held.take(number) {
            if held.call.number != n::SYS_connect {
                self.held.push(held);
                continue;
            }
            let error = self.take_error(number).ok().flatten().unwrap_or(Errno::ECONNABORTED);
            let _ = self.trees.reply(&held.call, Reply::Error(error.0));
        }
    }

    /// Holds the call of a blocking socket; tells that of a non-blocking one to wait by itself.
    fn wait_for_outcome(&mut self, turn: &Turn<'_>, number: u64, nonblocking: Errno) -> Served {
        let copy = self.copy(number)?;
        let is_filled = self.is_filled(number);
        let time = self.sockets.get(number).and_then(|socket| self.host.send_time(socket.host));
        if is_nonblocking(&copy) || time == Some(Duration::ZERO) {
            drop(copy);
            if !is_filled {
                self.fill(turn, number);
            }
            return Err(nonblocking);
        }
        if !is_filled {
            self.set_carrier(number, Carrier::Connecting(Connecting::Held));
            self.check_held_later(turn.now);
        }
        Ok(Answer::Wait { socket: number, deadline: time.map(|time| turn.now + time) })
    }

    /// S looks like a socket that connects.
    pub(crate) fn is_filled(&self, number: u64) -> bool {
        self.sockets
            .get(number)
            .is_some_and(|socket| matches!(socket.carrier, Carrier::Connecting(Connecting::Filled { .. })))
    }

    fn connect_datagram(&mut self, turn: &Turn<'_>, number: u64, address: Option<SocketAddr>) -> Served {
        // What was written before belongs to the association as it was.
        self.move_datagrams(turn, number);
        // An error stays pending, and what shows it does not outlive the association.
        let pending = self.take_shown_error(number)?;
        let connected = self.associate(turn, number, address);
        if pending.is_some() {
            self.keep_error(number, pending);
            self.show_datagram_error(number);
        }
        connected
    }

    /// connect(2) of a datagram socket.
    fn associate(&mut self, turn: &Turn<'_>, number: u64, address: Option<SocketAddr>) -> Served {
        let id = self.sockets.get(number).ok_or(Errno::EBADF)?.host;
        if address.is_some() {
            self.bind_as_needed(turn, id)?;
        }
        self.host.connect(turn.now, id, address)?;
        // Port 0 names nobody to getpeername, but a ping socket's peer has no other.
        let mut remote = address.map(|address| self.host.remote_address(id).unwrap_or(address));
        if !self.speaks_udp(number) {
            // What comes from it has no port, whatever was said to connect.
            remote.iter_mut().for_each(|remote| remote.set_port(0));
        } else if remote.is_some_and(|remote| remote.port() == 0) {
            // It hears all ports of that address, and there is none to send to.
            remote = None;
        }
        let copy = self.copy(number)?;
        if let Some(Socket { carrier: Carrier::Datagram(datagram), .. }) = self.sockets.get(number)
            && datagram.is_connected()
        {
            self.dissolve(turn, number, &copy)?;
        }
        let socket = self.sockets.get_mut(number).ok_or(Errno::EBADF)?;
        let (Carrier::Datagram(datagram), Some(name)) = (&mut socket.carrier, &socket.name) else {
            return Err(Errno::EINVAL);
        };
        if let Some(remote) = remote {
            let own_end =
                datagram.connect(copy.as_fd(), name, &self.names, number, remote).map_err(host_errno)?;
            turn.watch(own_end, Source::Carrier(number).key(), EDGES).map_err(|_| Errno::ENFILE)?;
        }
        Ok(Answer::Value(0))
    }

    /// Dissolves the association of S, and what waits in its queue waits there still.
    fn dissolve(&mut self, turn: &Turn<'_>, number: u64, copy: &OwnedFd) -> Result<(), Errno> {
        let waiting = self.take_all_from(number, copy);
        let Some(Socket { carrier: Carrier::Datagram(datagram), .. }) = self.sockets.get_mut(number) else {
            return Ok(());
        };
        datagram.disconnect(copy.as_fd()).map_err(host_errno)?;
        self.put_datagrams_back(turn, number, waiting);
        Ok(())
    }
}
