//! The process that forwards for one host: a program on that host like any other (`ieum run --in`), whose socket calls the
//! host answers.
//!
//! Sockets of the machine it cannot make, and does not: those that listen come from the first process when a rule begins,
//! those that are connected when a connection came for them. All of them are moved, counted and ended by the same code as
//! between two addresses of the machine. It ends when the first process does, or says so.

use std::io;
use std::net::SocketAddr;
use std::os::fd::OwnedFd;

use ieum_control::{Channel, Name};
use ieum_engine::{Notice, Ready, Room, Serial, Turn};
use ieum_exit::kernel;
use ieum_stack::LinkId;
use ieum_wire::{Instant, Packet};
use rustix::io::Errno;

use crate::forwarder::{Forwarder, RuleId};
use crate::key::Source;
use crate::listen;
use crate::spot::Spot;
use crate::words::{Mailbox, Order, Word, transport};

const FIRST: Serial = Serial::of(0);

/// The room of a worker.
#[derive(Debug)]
pub struct Worker {
    forwarder: Forwarder,
    first: Mailbox<Word>,
    /// The rule whose sockets are still to come, and how many.
    coming: Option<(RuleId, Spot, bool, usize, Vec<OwnedFd>)>,
    is_draining: bool,
    is_over: bool,
}

impl Worker {
    /// One in the host `home`, which is told over `channel` what to do.
    ///
    /// # Errors
    ///
    /// The machine has no room for it.
    pub fn new(home: Name, channel: OwnedFd) -> io::Result<Worker> {
        Ok(Worker {
            forwarder: Forwarder::new(Some(home))?,
            first: Mailbox::new(Channel::from(channel)),
            coming: None,
            is_draining: false,
            is_over: false,
        })
    }

    fn obey(&mut self, turn: &Turn<'_>, order: Order, descriptor: Option<OwnedFd>) {
        match order {
            Order::Forward { rule, from, to, udp, sockets } => {
                self.forward(turn, rule, [&from, &to], udp, sockets)
            }
            Order::Socket { rule } => self.socket(turn, rule, descriptor),
            Order::Aim { rule, to } => {
                // Which protocol it has is known, and a number means the same in both.
                if let Some(to) = Spot::read(&to, transport(false)) {
                    self.forwarder.aim(turn, rule, to);
                }
            }
            Order::Close { rule } => self.forwarder.close(turn, rule),
            Order::Reached { attempt, error } => {
                let error = error.map_or(Errno::MFILE, Errno::from_raw_os_error);
                self.forwarder.dialer().on_answer(Serial::of(attempt), descriptor.ok_or(error));
            }
            Order::Report => self.report(),
            Order::Drain => {
                self.forwarder.close_all(turn);
                self.is_draining = true;
            }
            Order::Cut => {
                let cut = self.forwarder.cut(turn);
                self.end(cut);
            }
        }
    }

    fn forward(&mut self, turn: &Turn<'_>, rule: RuleId, ends: [&str; 2], udp: bool, sockets: usize) {
        let [from, to] = ends.map(|text| Spot::read(text, transport(udp)));
        let (Some(from), Some(to)) = (from, to) else {
            let sentence = "a worker of another version of ieum does not understand it".to_owned();
            return self.first.say(Word::Failed { rule, sentence }, None);
        };
        if sockets > 0 {
            self.coming = Some((rule, to, udp, sockets, Vec::new()));
            return;
        }
        match listen::open(&from, transport(udp)) {
            Ok(open) => {
                let (sockets, addresses) = open.into_iter().unzip();
                self.open(turn, rule, to, udp, sockets, addresses);
            }
            Err(error) => self.first.say(Word::Failed { rule, sentence: error.to_string() }, None),
        }
    }

    fn socket(&mut self, turn: &Turn<'_>, rule: RuleId, descriptor: Option<OwnedFd>) {
        let Some((coming, _, _, expected, sockets)) = &mut self.coming else { return };
        if *coming != rule {
            return;
        }
        let Some(socket) = descriptor else {
            self.coming = None;
            let sentence = "a worker may open no more files: raise `ulimit -n`".to_owned();
            return self.first.say(Word::Failed { rule, sentence }, None);
        };
        sockets.push(socket);
        if sockets.len() < *expected {
            return;
        }
        if let Some((rule, to, udp, _, sockets)) = self.coming.take() {
            self.open(turn, rule, to, udp, sockets, Vec::new());
        }
    }

    fn open(
        &mut self,
        turn: &Turn<'_>,
        rule: RuleId,
        to: Spot,
        udp: bool,
        sockets: Vec<OwnedFd>,
        addresses: Vec<SocketAddr>,
    ) {
        let sentence = |error| format!("cannot forward to {to}: {error}");
        let opened = self.forwarder.open(turn, rule, to.clone(), transport(udp), sockets).map_err(sentence);
        let word = match opened {
            Ok(()) => Word::Listening { rule, addresses },
            Err(sentence) => Word::Failed { rule, sentence },
        };
        self.first.say(word, None);
    }

    fn report(&mut self) {
        for (rule, counts) in self.forwarder.counts() {
            self.first.say(Word::Counts { rule, counts }, None);
        }
        self.first.say(Word::Reported, None);
    }

    fn end(&mut self, cut: usize) {
        if !self.is_over {
            self.report();
            self.first.say(Word::Over { cut }, None);
            self.is_over = true;
        }
    }
}

impl Room for Worker {
    fn start(&mut self, turn: &Turn<'_>) -> io::Result<()> {
        self.first.start(turn, FIRST)?;
        self.forwarder.start(turn)
    }

    fn on_ready(&mut self, turn: &Turn<'_>, key: u64, ready: Ready) {
        if self.forwarder.on_ready(turn, Source::of(key), ready) {
            return;
        }
        while let Some((order, descriptor)) = self.first.hear() {
            self.obey(turn, order, descriptor);
        }
        self.first.flush();
        if self.first.is_gone() {
            self.forwarder.cut(turn);
            self.is_over = true;
        }
    }

    fn on_frame(&mut self, _turn: &Turn<'_>, _link: LinkId, _frame: Packet) {}

    fn on_deadline(&mut self, turn: &Turn<'_>) {
        self.forwarder.on_deadline(turn);
    }

    fn deadline(&self) -> Option<Instant> {
        if self.forwarder.has_work() { Some(Instant::ZERO) } else { self.forwarder.deadline() }
    }

    fn settle(&mut self, turn: &Turn<'_>) {
        self.forwarder.settle(turn);
        // Given up while the first process still tried: who was reached is told that nothing comes of it.
        for socket in self.forwarder.take_reached().into_iter().filter_map(|(_, outcome)| outcome.ok()) {
            kernel::reset(socket);
        }
        while let Some(away) = self.forwarder.dialer().poll_away() {
            let udp = away.transport == ieum_exit::Transport::Udp;
            let word = Word::Reach { attempt: away.attempt.number(), to: away.to.to_string(), udp };
            self.first.say(word, None);
        }
        if self.is_draining && self.forwarder.is_idle() {
            self.end(0);
        }
    }

    fn poll_frame(&mut self, _turn: &Turn<'_>) -> Option<(LinkId, Packet)> {
        None
    }

    fn poll_notice(&mut self) -> Option<Notice> {
        None
    }

    fn on_notice(&mut self, _turn: &Turn<'_>, _notice: Notice) {}

    fn is_unfinished(&self) -> bool {
        false
    }

    fn is_finished(&self) -> bool {
        self.is_over && self.first.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use std::io::{ErrorKind, Read};
    use std::net::{TcpListener, TcpStream};
    use std::os::fd::AsFd;

    use ieum_control::Received;
    use ieum_engine::Poller;

    use super::*;

    #[test]
    fn what_was_reached_for_nobody_any_more_is_reset() {
        let (first, own) = Channel::pair().unwrap();
        let mut worker = Worker::new("a".parse().unwrap(), own.into()).unwrap();
        let poller = Poller::new().unwrap();
        let turn = poller.turn(Instant::ZERO, 0);
        worker.start(&turn).unwrap();

        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let reached = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let (mut target, _) = listener.accept().unwrap();
        first.send(&Order::Reached { attempt: 7, error: None }, &[reached.as_fd()]).unwrap();
        drop(reached);
        worker.on_ready(&turn, Source::Worker(FIRST).key(), Ready { read: true, ..Ready::default() });
        worker.settle(&turn);

        target.set_nonblocking(true).unwrap();
        assert_eq!(target.read(&mut [0]).unwrap_err().kind(), ErrorKind::ConnectionReset);
    }

    #[test]
    fn a_descriptor_that_did_not_come_ends_what_it_was_for_and_nothing_else() {
        let (first, own) = Channel::pair().unwrap();
        let mut worker = Worker::new("a".parse().unwrap(), own.into()).unwrap();
        let poller = Poller::new().unwrap();
        let turn = poller.turn(Instant::ZERO, 0);
        worker.start(&turn).unwrap();
        let ready = Ready { read: true, ..Ready::default() };

        let (from, to) = ("127.0.0.1:9@a".to_owned(), "127.0.0.1:9".to_owned());
        first.send(&Order::Forward { rule: 1, from, to: to.clone(), udp: false, sockets: 1 }, &[]).unwrap();
        first.send(&Order::Socket { rule: 1 }, &[]).unwrap();
        worker.on_ready(&turn, Source::Worker(FIRST).key(), ready);
        let Ok(Received::Message(Word::Failed { rule: 1, sentence }, _)) = first.receive() else { panic!() };
        assert!(sentence.contains("ulimit -n"), "{sentence}");

        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        listener.set_nonblocking(true).unwrap();
        let mut client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let to = Spot::read(&to, transport(false)).unwrap();
        worker.forwarder.open(&turn, 2, to, transport(false), vec![listener.into()]).unwrap();
        worker.settle(&turn);
        let Ok(Received::Message(Word::Reach { attempt, .. }, _)) = first.receive() else { panic!() };
        first.send(&Order::Reached { attempt, error: None }, &[]).unwrap();
        worker.on_ready(&turn, Source::Worker(FIRST).key(), ready);
        worker.settle(&turn);
        assert_eq!(worker.forwarder.counts()[&2].shortages, 1);
        assert_eq!(client.read(&mut [0]).unwrap_err().kind(), ErrorKind::ConnectionReset);
        assert!(!worker.is_finished());
    }
}
