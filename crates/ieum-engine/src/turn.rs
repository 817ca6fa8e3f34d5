//! The loop: wait, tell what is ready, let packets cross until all are quiet, wait again.

use std::io;

use ieum_device::Capture;
use ieum_stack::LinkId;
use ieum_wire::Instant;

use crate::bounds::{LINGER, PASSES_MAX};
use crate::clock::Clock;
use crate::poller::{Poller, Sleeper, Turn};
use crate::room::Room;

/// One end of a link: the room's place in the list given to [`Engine::run`], and its stack's name for the link.
pub type LinkEnd = (usize, LinkId);

/// Two ends joined, and who writes down what crosses.
struct Joint {
    ends: [LinkEnd; 2],
    capture: Option<Capture>,
}

/// Drives rooms and the links between them, in the thread that calls [`Engine::run`].
pub struct Engine {
    poller: Poller,
    sleeper: Sleeper,
    clock: Clock,
    joints: Vec<Joint>,
    /// Told once each: a capture that failed.
    on_trouble: Box<dyn FnMut(&str)>,
}

impl Engine {
    /// An engine without links. `on_trouble` is told, in a sentence, what goes wrong beside the run itself.
    ///
    /// # Errors
    ///
    /// Those of epoll_create1(2).
    pub fn new(clock: Clock, on_trouble: impl FnMut(&str) + 'static) -> io::Result<Engine> {
        let poller = Poller::new()?;
        let sleeper = Sleeper::new(&poller);
        Ok(Engine { poller, sleeper, clock, joints: Vec::new(), on_trouble: Box::new(on_trouble) })
    }

    /// Joins two ends by a link; what crosses is written into `capture`.
    pub fn join(&mut self, one: LinkEnd, other: LinkEnd, capture: Option<Capture>) {
        self.joints.push(Joint { ends: [one, other], capture });
    }

    /// Runs until the first room is finished, and then until all have delivered what they had or 60 s have passed: unless a
    /// room [is needed](Room::is_needed), when it returns at once for [`Engine::run_while_needed`] to go on.
    ///
    /// # Errors
    ///
    /// When a room cannot start, or waiting itself fails.
    pub fn run(&mut self, rooms: &mut [&mut dyn Room]) -> io::Result<()> {
        for (number, room) in rooms.iter_mut().enumerate() {
            room.start(&turn_of(&self.poller, self.clock.now(), number))?;
        }
        self.drive(rooms, false)
    }

    /// Goes on with rooms that [`Engine::run`] has left, until none is needed any more and all have delivered what they
    /// had or 60 s have passed.
    ///
    /// # Errors
    ///
    /// When waiting fails.
    pub fn run_while_needed(&mut self, rooms: &mut [&mut dyn Room]) -> io::Result<()> {
        self.drive(rooms, true)
    }

    fn drive(&mut self, rooms: &mut [&mut dyn Room], stays_while_needed: bool) -> io::Result<()> {
        let mut finished_at = None;
        let mut told = Vec::new();
        loop {
            let quiet = self.settle_all(rooms);
            let now = self.clock.now();
            let is_needed = rooms.iter().any(|room| room.is_needed());
            if rooms.first().is_none_or(|first| first.is_finished()) && !(is_needed && stays_while_needed) {
                if is_needed {
                    return self.finish();
                }
                let since = *finished_at.get_or_insert(now);
                if now.since(since) >= LINGER || !rooms.iter().any(|room| room.is_unfinished()) {
                    return self.finish();
                }
            }
            let longest = if quiet {
                self.flush_captures();
                let deadlines = rooms.iter().filter_map(|room| room.deadline());
                deadlines.chain(finished_at.map(|at| at + LINGER)).min().map(|next| next.since(now))
            } else {
                Some(std::time::Duration::ZERO)
            };
            self.sleeper.wait(longest, &mut told)?;
            let now = self.clock.now();
            for (number, key, ready) in &told {
                if let Some(room) = rooms.get_mut(usize::from(*number)) {
                    room.on_ready(&self.poller.turn(now, *number), *key, *ready);
                }
            }
            self.wake(now, rooms);
        }
    }

    /// Rooms whose deadline has come.
    fn wake(&mut self, now: Instant, rooms: &mut [&mut dyn Room]) {
        for (number, room) in rooms.iter_mut().enumerate() {
            if room.deadline().is_some_and(|deadline| deadline <= now) {
                room.on_deadline(&turn_of(&self.poller, now, number));
            }
        }
    }

    /// Passes over all rooms until nothing moves. False when the bound on passes came first.
    fn settle_all(&mut self, rooms: &mut [&mut dyn Room]) -> bool {
        (0..PASSES_MAX).any(|_| !self.pass(rooms))
    }

    /// The whole way of a packet from room to room: a room looks at its events and pumps; what its stack then wants
    /// to send crosses the link at once. True when anything moved.
    fn pass(&mut self, rooms: &mut [&mut dyn Room]) -> bool {
        let mut moved = false;
        for number in 0..rooms.len() {
            let now = self.clock.now();
            let turn = turn_of(&self.poller, now, number);
            rooms[number].settle(&turn);
            while let Some((link, frame)) = rooms[number].poll_frame(&turn) {
                moved = true;
                let Some(joint) = self.joints.iter_mut().find(|joint| joint.ends.contains(&(number, link)))
                else {
                    continue;
                };
                if let Some(capture) = &mut joint.capture {
                    capture.record(now, &frame);
                }
                let [one, other] = joint.ends;
                let (to, link) = if one == (number, link) { other } else { one };
                rooms[to].on_frame(&turn_of(&self.poller, now, to), link, frame);
            }
            while let Some(notice) = rooms[number].poll_notice() {
                moved = true;
                for (other, room) in rooms.iter_mut().enumerate().filter(|(other, _)| *other != number) {
                    room.on_notice(&turn_of(&self.poller, now, other), notice.clone());
                }
            }
        }
        moved
    }

    fn finish(&mut self) -> io::Result<()> {
        self.flush_captures();
        Ok(())
    }

    fn flush_captures(&mut self) {
        for capture in self.joints.iter_mut().filter_map(|joint| joint.capture.as_mut()) {
            capture.flush();
            if let Some(failure) = capture.take_error() {
                (self.on_trouble)(&format!("the capture has ended early: {failure}"));
            }
        }
    }
}

fn turn_of(poller: &Poller, now: Instant, number: usize) -> Turn<'_> {
    poller.turn(now, u8::try_from(number).expect("an engine drives fewer than 256 rooms"))
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};
    use std::os::fd::AsFd;
    use std::os::unix::net::UnixStream;
    use std::time::Duration;

    use ieum_stack::{Event, LinkConfig, Stack, StackConfig, TcpSettings};
    use ieum_wire::Packet;

    use super::*;
    use crate::{Interest, Notice, Ready};

    /// Sends what comes from a descriptor over one TCP connection, and what comes over it to the descriptor.
    struct Relay {
        stack: Stack,
        link: LinkId,
        connection: Option<ieum_stack::ConnectionId>,
        stream: UnixStream,
        ended: bool,
    }

    impl Relay {
        fn new(number: u8, stream: UnixStream) -> Relay {
            let mut stack = Stack::new(StackConfig::new([number; 32]));
            let link = stack.add_link(LinkConfig::in_process());
            stack.add_address(link, format!("10.77.0.{number}/24").parse().unwrap());
            stream.set_nonblocking(true).unwrap();
            Relay { stack, link, connection: None, stream, ended: false }
        }
    }

    impl Room for Relay {
        fn start(&mut self, turn: &Turn<'_>) -> io::Result<()> {
            turn.watch(self.stream.as_fd(), 7, Interest { read: true, write: false, edge: true })
        }
        fn on_ready(&mut self, turn: &Turn<'_>, key: u64, ready: Ready) {
            assert!(key == 7 && (ready.read || ready.read_hangup));
            let Some(id) = self.connection else { return };
            let mut bytes = [0; 1000];
            while let Ok(count) = self.stream.read(&mut bytes) {
                if count == 0 {
                    return self.stack.tcp_finish(turn.now, id);
                }
                self.stack.tcp_send(turn.now, id, &bytes[..count]);
            }
        }
        fn on_frame(&mut self, turn: &Turn<'_>, link: LinkId, frame: Packet) {
            self.stack.on_frame(turn.now, link, frame);
        }
        fn on_deadline(&mut self, turn: &Turn<'_>) {
            self.stack.on_deadline(turn.now);
        }
        fn deadline(&self) -> Option<Instant> {
            self.stack.deadline()
        }
        fn settle(&mut self, turn: &Turn<'_>) {
            while let Some(event) = self.stack.poll_event() {
                if let Event::Acceptable(listener) = event {
                    self.connection = self.stack.tcp_accept(listener);
                }
            }
            let Some(id) = self.connection else { return };
            let mut bytes = [0; 1000];
            let count = self.stack.tcp_recv(turn.now, id, &mut bytes, false);
            self.stream.write_all(&bytes[..count]).unwrap();
            if self.stack.tcp_status(id).is_some_and(|status| status.peer_finished) && !self.ended {
                self.ended = true;
                self.stack.tcp_finish(turn.now, id);
            }
        }
        fn poll_frame(&mut self, turn: &Turn<'_>) -> Option<(LinkId, Packet)> {
            self.stack.poll_frame(turn.now)
        }
        fn poll_notice(&mut self) -> Option<Notice> {
            None
        }
        fn on_notice(&mut self, _turn: &Turn<'_>, _notice: Notice) {}
        fn is_unfinished(&self) -> bool {
            false
        }
        fn is_finished(&self) -> bool {
            self.ended
        }
    }

    #[test]
    fn bytes_cross_from_descriptor_to_descriptor_and_the_run_ends() {
        let (mut ours, theirs) = UnixStream::pair().unwrap();
        let (mut far, far_end) = UnixStream::pair().unwrap();
        let (mut client, mut server) = (Relay::new(1, theirs), Relay::new(2, far_end));
        let request = ieum_stack::BindRequest::new("10.77.0.2".parse().unwrap(), 80);
        let binding = server.stack.tcp_bind(request).unwrap();
        server.stack.tcp_listen(binding, 1, false, TcpSettings::default()).unwrap();
        let remote = "10.77.0.2:80".parse().unwrap();
        let connected = client.stack.tcp_connect(Instant::ZERO, None, remote, TcpSettings::default());
        client.connection = Some(connected.unwrap());
        let ends = [(0, client.link), (1, server.link)];

        // What is written before the handshake has ended waits in the descriptor for the watch to tell of it; a
        // second thread writes when the far end hears the first words, so that nothing here depends on time.
        let talk = std::thread::spawn(move || {
            let mut word = [0; 5];
            far.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
            far.write_all(b"ready").unwrap();
            ours.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
            ours.read_exact(&mut word).unwrap();
            ours.write_all(b"hello").unwrap();
            ours.shutdown(std::net::Shutdown::Write).unwrap();
            far.read_exact(&mut word).unwrap();
            word
        });
        let mut engine = Engine::new(Clock::start(), |_| {}).unwrap();
        engine.join(ends[0], ends[1], None);
        engine.run(&mut [&mut client, &mut server]).unwrap();
        assert_eq!(&talk.join().unwrap(), b"hello");
    }
}
