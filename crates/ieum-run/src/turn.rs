//! What the host's events and the carriers' readiness mean.

mod closing;
mod datagrams;

use std::os::fd::AsFd;

use ieum_engine::{Notice, Ready, Turn};
use ieum_socket::{Errno, Event, How, Kind, RequestId, SocketId};
use ieum_wire::Instant;
use rustix::net::Shutdown;

use crate::bounds::{ACCEPT_RETRY, CALLS_PER_TURN_MAX, FRAMES_OUTGOING_MAX, ROUNDS_PER_FRAME_MAX};
use crate::carrier::joint;
use crate::carrier::stream::{Stream, Verdict};
use crate::name::Bearer;
use crate::runner::{EDGES, ENDS, Runner, Source};
use crate::socket::{Carrier, Connecting, Socket, host_errno};
use crate::sys::number as n;

impl Runner {
    /// Hears what the host has to say. True if there was something.
    pub(crate) fn on_host_events(&mut self, turn: &Turn<'_>) -> bool {
        let mut heard = false;
        while let Some(event) = self.host.poll_event() {
            heard = true;
            match event {
                Event::Readiness(id) => {
                    if let Some(number) = self.sockets.by_host(id) {
                        self.step(turn, number);
                    }
                }
                Event::Request(id, request) => self.on_request(turn.now, id, request),
                Event::Serving { kind, address, v6_only, serving } => {
                    if serving {
                        self.sweep_later(turn.now);
                    }
                    let datagram = kind == Kind::Datagram;
                    self.notices.push_back(Notice::Serving { datagram, address, v6_only, serving });
                }
            }
        }
        heard
    }

    pub(crate) fn on_carrier(&mut self, turn: &Turn<'_>, number: u64, ready: Ready) {
        let Some(socket) = self.sockets.get_mut(number) else { return };
        match &mut socket.carrier {
            Carrier::Stream(stream) => stream.on_ready(ready),
            Carrier::Datagram(datagram) => datagram.on_ready(ready),
            Carrier::Connecting(Connecting::Filled { .. }) if ready.hangup => {
                return self.abandon(turn.now, number);
            }
            Carrier::Over(Some(_)) => return self.forget_if_closed(turn.now, number),
            Carrier::Fresh
            | Carrier::Connecting(_)
            | Carrier::Listening(_)
            | Carrier::Spent
            | Carrier::Over(None) => return,
        }
        self.step(turn, number);
    }

    /// Does for one socket whatever can be done now.
    pub(crate) fn step(&mut self, turn: &Turn<'_>, number: u64) {
        let Some(socket) = self.sockets.get(number) else { return };
        match &socket.carrier {
            Carrier::Listening(_) => self.deliver_connections(turn, number),
            Carrier::Connecting(Connecting::Held) => self.held_connect_changed(turn, number),
            Carrier::Connecting(Connecting::Filled { .. }) => self.connect_changed(turn, number),
            Carrier::Stream(_) => self.pump(turn, number),
            Carrier::Datagram(_) => self.datagram_turn(turn, number),
            Carrier::Over(_) => self.refuse_bytes(turn.now, number),
            Carrier::Fresh | Carrier::Spent => {}
        }
    }

    /// Bytes that come when both directions were ended by the program itself: nobody will have them.
    fn refuse_bytes(&mut self, now: Instant, number: u64) {
        let Some(socket) = self.sockets.get(number) else { return };
        if !self.host.is_over(socket.host) && !self.host.recv_chunks(socket.host).is_empty() {
            self.host.refuse_bytes(now, socket.host);
        }
    }

    /// Sees to it that what the program wrote before, and what sockets of this host say to each other, is known when a call
    /// is answered: on Linux a segment to the host itself has arrived when the call that sent it returns.
    pub(crate) fn catch_up(&mut self, turn: &Turn<'_>, number: u64) {
        if let Some(Socket { carrier: Carrier::Stream(stream), .. }) = self.sockets.get_mut(number) {
            stream.look_again();
            self.pump(turn, number);
        }
        self.talk(turn);
    }

    /// Lets the sockets of this host talk to each other; what is to leave it waits for the engine.
    pub(crate) fn talk(&mut self, turn: &Turn<'_>) {
        // What is heard serves calls that were held, and those come here again: one of them at a time is enough.
        if std::mem::replace(&mut self.is_talking, true) {
            return;
        }
        self.hear_and_talk(turn);
        self.is_talking = false;
    }

    fn hear_and_talk(&mut self, turn: &Turn<'_>) {
        for _ in 0..ROUNDS_PER_FRAME_MAX {
            if self.outgoing.len() >= FRAMES_OUTGOING_MAX {
                return;
            }
            match self.host.poll_frame(turn.now) {
                Some(frame) => self.outgoing.push_back(frame),
                None if !self.on_host_events(turn) => return,
                None => {}
            }
        }
    }

    /// What the program wrote has left before its close resets the connection, as on Linux, where writing is sending.
    fn speak(&mut self, now: Instant) {
        while self.outgoing.len() < FRAMES_OUTGOING_MAX {
            let Some(frame) = self.host.poll_frame(now) else { return };
            self.outgoing.push_back(frame);
        }
    }

    /// A SYN came for a listening socket: answered only while that socket lives, which only its name can tell.
    fn on_request(&mut self, now: Instant, id: SocketId, request: RequestId) {
        let number = self.sockets.by_host(id);
        if number.is_some_and(|number| self.listener_is_alive(number)) {
            return self.host.accept_request(request);
        }
        match number {
            // The host has another listener that shares the port answer for it, or refuses.
            Some(number) => self.forget(now, number),
            None => self.host.refuse_request(request),
        }
    }

    fn listener_is_alive(&mut self, number: u64) -> bool {
        let Some(socket) = self.sockets.get(number) else { return false };
        match (&socket.carrier, &socket.name) {
            (Carrier::Listening(_), Some(name)) => self.probe.is_alive(socket.unix_kind(), name),
            _ => true,
        }
    }

    // Connections

    /// Moves bytes of a connection.
    pub(crate) fn pump(&mut self, turn: &Turn<'_>, number: u64) {
        let Some(socket) = self.sockets.get_mut(number) else { return };
        let Carrier::Stream(stream) = &mut socket.carrier else { return };
        let verdict = stream.pump(turn.now, &mut self.host, socket.host);
        self.after_pump(turn, number, verdict);
        self.retry_held(turn, number);
    }

    fn after_pump(&mut self, turn: &Turn<'_>, number: u64, verdict: Verdict) {
        match verdict {
            Verdict::Stay => {}
            Verdict::More => drop(self.more.insert(number)),
            Verdict::Close => {
                self.speak(turn.now);
                self.forget(turn.now, number);
            }
            Verdict::Abort => {
                self.speak(turn.now);
                self.abandon(turn.now, number);
            }
            Verdict::Unread => self.show_writer(number),
            Verdict::Failed => self.show_failure(turn, number),
            Verdict::Over => self.end(turn, number),
        }
    }

    /// Both directions ended: S sees it, and what it is asked the host still answers.
    fn end(&mut self, turn: &Turn<'_>, number: u64) {
        let Some(socket) = self.sockets.get_mut(number) else { return };
        let ended = std::mem::replace(&mut socket.carrier, Carrier::Over(None));
        if let Carrier::Stream(Stream { own_end, .. }) = ended {
            joint::discard_unread(&own_end);
            let _ = rustix::net::shutdown(&own_end, Shutdown::Both);
            // The next that it tells is that S is closed. What S has room for is nothing to wait for any more.
            let is_watched = turn.rewatch(own_end.as_fd(), Source::Carrier(number).key(), ENDS).is_ok();
            socket.carrier = Carrier::Over(is_watched.then_some(own_end));
        }
        if !self.sockets.get(number).is_some_and(|socket| matches!(socket.carrier, Carrier::Over(Some(_)))) {
            self.over(turn.now, number);
        }
    }

    /// The connection failed while bytes wait to be read that S has no room for. A writer must not wait until they are read,
    /// which may be its own next step.
    fn show_writer(&mut self, number: u64) {
        let Some(socket) = self.sockets.get(number) else { return };
        let Carrier::Stream(stream) = &socket.carrier else { return };
        if socket.inode.is_none() {
            // Nobody has accepted it yet.
            return;
        }
        joint::discard_unread(&stream.own_end);
        if let Ok(copy) = self.copy(number) {
            joint::leave_sentinel(copy.as_fd());
        }
        if let Some(Socket { carrier: Carrier::Stream(stream), .. }) = self.sockets.get_mut(number) {
            stream.writing_failed();
        }
    }

    /// The connection failed: the program reads what is queued, then ECONNRESET; after an end of file nothing more.
    fn show_failure(&mut self, turn: &Turn<'_>, number: u64) {
        let Some(socket) = self.sockets.get(number) else { return };
        let Carrier::Stream(stream) = &socket.carrier else { return };
        if socket.inode.is_none() {
            // It waits in an accept queue; whoever accepts it will be shown.
            return;
        }
        if stream.end_shown {
            return self.end(turn, number);
        }
        let has_unread = crate::sys::unread_bytes(stream.own_end.as_fd()) > 0;
        // An S that was shut for writing takes none: it shows the end, and the error is asked for by SO_ERROR.
        let shows_error =
            has_unread || self.copy(number).is_ok_and(|copy| joint::leave_sentinel(copy.as_fd()));
        if let Some(socket) = self.sockets.get_mut(number) {
            socket.carrier = Carrier::Over(None);
            socket.shows_error = shows_error;
        }
        self.over(turn.now, number);
    }

    /// Offers established connections to the program's accept queue.
    fn deliver_connections(&mut self, turn: &Turn<'_>, number: u64) {
        for _ in 0..CALLS_PER_TURN_MAX {
            let Some(socket) = self.sockets.get(number) else { return };
            let (id, domain) = (socket.host, socket.domain);
            if !self.host.readiness(id).readable {
                return;
            }
            let Some(name) = socket.name.clone() else { return };
            match self.offer(number, (id, domain), &name) {
                Ok(connection) => {
                    self.count_waiting(number, |waiting| waiting.saturating_add(1));
                    self.watch_carrier(turn, connection);
                    self.retry_held(turn, number);
                    self.pump(turn, connection);
                }
                // Nobody listens there any more.
                Err(Errno::ECONNREFUSED) => return self.forget(turn.now, number),
                // The queue is full, or we are out of descriptors: it stays in the host's queue.
                Err(_) => return self.deliver_later(turn.now, number),
            }
        }
        self.more.insert(number);
    }

    fn offer(
        &mut self,
        number: u64,
        (listener, domain): (SocketId, i32),
        name: &rustix::net::SocketAddrUnix,
    ) -> Result<u64, Errno> {
        let own_name = self.names.name(Bearer::Carrier(self.sockets.next_number(), 0)).map_err(host_errno)?;
        let own_end = joint::offer(&own_name, name).map_err(host_errno)?;
        joint::bound_queue(&own_end, self.host.recv_buffer_wish(listener));
        let mut stream = Stream::new(own_end);
        stream.holds_urgent = self.host.takes_urgent_in_line(listener);
        let (host, remote) = self.host.accept(listener)?;
        Ok(self.sockets.insert(Socket {
            host,
            domain,
            kind: Kind::Stream,
            inode: None,
            name: None,
            place: None,
            accepted_from: Some(remote),
            listener: Some(number),
            carrier: Carrier::Stream(stream),
            shows_error: false,
            shut_unconnected: false,
            error: None,
            given_back: Vec::new(),
        }))
    }

    /// Connections in the program's accept queue count against the backlog like those of the host's.
    pub(crate) fn count_waiting(&mut self, number: u64, change: impl FnOnce(u32) -> u32) {
        let Some(socket) = self.sockets.get_mut(number) else { return };
        if let Carrier::Listening(listening) = &mut socket.carrier {
            listening.waiting = change(listening.waiting);
            self.host.set_waiting_elsewhere(socket.host, listening.waiting);
        }
    }

    /// The program's accept queue is full: it is offered to again.
    fn deliver_later(&mut self, now: Instant, number: u64) {
        self.full_listeners.insert(number);
        self.timers.accept_retry_at.get_or_insert(now + ACCEPT_RETRY);
    }

    /// Some may have room by now.
    pub(crate) fn deliver_to_full(&mut self, turn: &Turn<'_>) {
        for number in std::mem::take(&mut self.full_listeners) {
            self.deliver_connections(turn, number);
        }
    }

    /// Registers our end of a stream's carrier.
    pub(crate) fn watch_carrier(&mut self, turn: &Turn<'_>, number: u64) {
        let Some(socket) = self.sockets.get(number) else { return };
        let own_end = match &socket.carrier {
            Carrier::Stream(stream) => &stream.own_end,
            Carrier::Connecting(Connecting::Filled { own_end, .. }) => own_end,
            Carrier::Fresh
            | Carrier::Connecting(Connecting::Held)
            | Carrier::Listening(_)
            | Carrier::Spent
            | Carrier::Over(_)
            | Carrier::Datagram(_) => return,
        };
        if turn.watch(own_end.as_fd(), Source::Carrier(number).key(), EDGES).is_err() {
            // Out of watches: a connection nobody hears of is worse than one that is reset.
            self.abandon(turn.now, number);
        }
    }

    // Connecting

    /// Something happened to a connect that a caller waits for, or waited for until it was interrupted.
    fn held_connect_changed(&mut self, turn: &Turn<'_>, number: u64) {
        self.retry_held(turn, number);
        let Some(socket) = self.sockets.get(number) else { return };
        if matches!(socket.carrier, Carrier::Connecting(Connecting::Held)) && !self.held.waits_for(number) {
            let readiness = self.host.readiness(socket.host);
            if readiness.error {
                self.set_carrier(number, Carrier::Fresh);
            } else if readiness.writable {
                self.established(turn, number);
            }
        }
    }

    /// Something happened to a connect that nobody waits for.
    fn connect_changed(&mut self, turn: &Turn<'_>, number: u64) {
        let Some(socket) = self.sockets.get(number) else { return };
        let readiness = self.host.readiness(socket.host);
        if readiness.error {
            self.refused(number);
            self.retry_held(turn, number);
        } else if readiness.writable {
            self.established(turn, number);
        }
    }

    /// S shows that its connect failed: our end is closed with the fill unread.
    pub(crate) fn refused(&mut self, number: u64) {
        let Some(socket) = self.sockets.get_mut(number) else { return };
        let filled = matches!(socket.carrier, Carrier::Connecting(Connecting::Filled { .. }));
        socket.shows_error = filled;
        socket.carrier = if filled { Carrier::Spent } else { Carrier::Fresh };
    }

    /// The host's connection stands: S and P carry it from now on.
    pub(crate) fn established(&mut self, turn: &Turn<'_>, number: u64) {
        let Some(socket) = self.sockets.get_mut(number) else { return };
        match std::mem::replace(&mut socket.carrier, Carrier::Fresh) {
            Carrier::Connecting(Connecting::Filled { own_end, fill }) => {
                if let Ok(copy) = self.copy(number) {
                    joint::restore(copy.as_fd(), fill);
                    // It may have been bounded while it connected.
                    self.bound_outward_queue(number, &copy);
                }
                joint::drain_fill(own_end.as_fd(), fill);
                self.set_carrier(number, Carrier::Stream(Stream::new(own_end)));
            }
            Carrier::Fresh | Carrier::Connecting(Connecting::Held) => match self.join(number) {
                Ok(own_end) => {
                    self.set_carrier(number, Carrier::Stream(Stream::new(own_end)));
                    self.watch_carrier(turn, number);
                }
                // S is gone together with its caller.
                Err(_) => return self.abandon(turn.now, number),
            },
            other @ (Carrier::Stream(_)
            | Carrier::Listening(_)
            | Carrier::Spent
            | Carrier::Over(_)
            | Carrier::Datagram(_)) => return self.set_carrier(number, other),
        }
        self.shut_as_host(turn.now, number);
        self.more.insert(number);
    }

    /// A socket that was shut down before it had a connection remains so, as Linux's does.
    fn shut_as_host(&mut self, now: Instant, number: u64) {
        let Some(socket) = self.sockets.get(number) else { return };
        let (read, write) = self.host.shut_down(socket.host);
        if !read && !write {
            return;
        }
        let Ok(copy) = self.copy(number) else { return };
        let Some(socket) = self.sockets.get_mut(number) else { return };
        let Carrier::Stream(stream) = &mut socket.carrier else { return };
        if read && rustix::net::shutdown(&copy, Shutdown::Read).is_ok() {
            stream.read_was_shut();
        }
        if write && rustix::net::shutdown(&copy, Shutdown::Write).is_ok() {
            stream.writes_nothing();
            if read {
                // Nobody will tell when it is closed: its FIN goes now.
                let _ = self.host.shutdown(now, socket.host, How::Write);
            }
        }
    }

    /// Makes S show a connect that nobody waits for.
    pub(crate) fn fill(&mut self, turn: &Turn<'_>, number: u64) {
        let Ok(own_end) = self.join(number) else { return self.abandon(turn.now, number) };
        let Ok(copy) = self.copy(number) else { return self.abandon(turn.now, number) };
        let Ok(fill) = joint::fill(copy.as_fd()) else { return self.abandon(turn.now, number) };
        drop(copy);
        self.set_carrier(number, Carrier::Connecting(Connecting::Filled { own_end, fill }));
        self.watch_carrier(turn, number);
        // The outcome may have come in the meantime.
        self.more.insert(number);
    }

    /// Connects S to a new end of ours.
    pub(crate) fn join(&mut self, number: u64) -> Result<std::os::fd::OwnedFd, Errno> {
        let copy = self.copy(number)?;
        let socket = self.sockets.get(number).ok_or(Errno::EBADF)?;
        let name = socket.name.as_ref().ok_or(Errno::EBADF)?;
        let join = || self.joint.join(copy.as_fd(), name);
        let own_end = self.at_once(number, &copy, n::SO_SNDTIMEO, join).map_err(host_errno)?;
        joint::bound_queue(&own_end, self.host.recv_buffer_wish(socket.host));
        Ok(own_end)
    }

    pub(crate) fn set_carrier(&mut self, number: u64, carrier: Carrier) {
        if let Some(socket) = self.sockets.get_mut(number) {
            socket.carrier = carrier;
        }
    }
}
