//! Reaching a target: its name is looked up when it is wanted, and its addresses are tried one after the other.
//!
//! Looking up waits, so it is done by threads of its own, [`LOOKUPS_MAX`] at a time. What is not where this process is (a
//! host's port, seen from the machine, or the machine's, seen from a host) is asked of the other process
//! ([`Dialer::poll_away`]), and comes as a descriptor.

use std::collections::{BTreeMap, VecDeque};
use std::io;
use std::net::SocketAddr;
use std::os::fd::{AsFd, OwnedFd};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};

use ieum_control::Name;
use ieum_engine::{Interest, Serial, Serials, Turn};
use ieum_exit::Transport;
use ieum_exit::kernel::{self, Begun};
use rustix::event::{EventfdFlags, eventfd};
use rustix::io::Errno;

use crate::bounds::LOOKUPS_MAX;
use crate::key::Source;
use crate::spot::Spot;

/// A target that somebody else has to reach.
#[derive(Debug)]
pub(crate) struct Away {
    pub(crate) attempt: Serial,
    pub(crate) to: Spot,
    pub(crate) transport: Transport,
}

/// What became of an attempt.
pub(crate) type Outcome = Result<OwnedFd, Errno>;

/// Everything that is being reached.
#[derive(Debug)]
pub(crate) struct Dialer {
    /// The host this process is in; `None`: the machine.
    home: Option<Name>,
    attempts: BTreeMap<Serial, Attempt>,
    serials: Serials,
    lookups: Lookups,
    away: VecDeque<Away>,
    done: VecDeque<(Serial, Outcome)>,
}

#[derive(Debug)]
struct Attempt {
    transport: Transport,
    /// Those still to be tried.
    addresses: VecDeque<SocketAddr>,
    /// The one that connects.
    socket: Option<OwnedFd>,
    /// Why the last one could not be reached.
    error: Errno,
}

/// Names that are being looked up.
#[derive(Debug)]
struct Lookups {
    running: usize,
    waiting: VecDeque<(Serial, Spot)>,
    /// Rung by a thread that has an answer.
    bell: Arc<OwnedFd>,
    answers: Receiver<Answer>,
    answer: Sender<Answer>,
}

type Answer = (Serial, Vec<SocketAddr>);

const LEVEL: Interest = Interest { read: true, write: false, edge: false };

impl Dialer {
    /// Nothing yet.
    pub(crate) fn new(home: Option<Name>) -> io::Result<Dialer> {
        let (answer, answers) = channel();
        let bell = Arc::new(eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)?);
        Ok(Dialer {
            home,
            attempts: BTreeMap::new(),
            serials: Serials::default(),
            lookups: Lookups { running: 0, waiting: VecDeque::new(), bell, answers, answer },
            away: VecDeque::new(),
            done: VecDeque::new(),
        })
    }

    pub(crate) fn start(&self, turn: &Turn<'_>) -> io::Result<()> {
        turn.watch(self.lookups.bell.as_fd(), Source::Lookups.key(), LEVEL)
    }

    /// Begins to reach `to`; [`Dialer::poll`] tells what became of it.
    pub(crate) fn reach(&mut self, turn: &Turn<'_>, to: &Spot, transport: Transport) -> Serial {
        let attempt = self.serials.next();
        if to.within != self.home {
            self.away.push_back(Away { attempt, to: to.clone(), transport });
            return attempt;
        }
        let none = Attempt { transport, addresses: VecDeque::new(), socket: None, error: Errno::HOSTUNREACH };
        self.attempts.insert(attempt, none);
        match to.known() {
            Some(addresses) => self.found(turn, attempt, addresses),
            None => {
                self.lookups.waiting.push_back((attempt, to.clone()));
                self.look_up(turn);
            }
        }
        attempt
    }

    /// Nobody wants it any more.
    pub(crate) fn give_up(&mut self, attempt: Serial) {
        // Should it have succeeded meanwhile, its peer is told that nothing comes of it.
        let connecting = self.attempts.remove(&attempt).and_then(|attempt| attempt.socket);
        let at = self.done.iter().position(|(done, _)| *done == attempt);
        let done = at.and_then(|at| self.done.remove(at)).and_then(|(_, outcome)| outcome.ok());
        connecting.into_iter().chain(done).for_each(kernel::reset);
        self.away.retain(|away| away.attempt != attempt);
        self.lookups.waiting.retain(|(waiting, _)| *waiting != attempt);
    }

    /// The next that somebody else has to reach, and to tell [`Dialer::on_answer`] of.
    pub(crate) fn poll_away(&mut self) -> Option<Away> {
        self.away.pop_front()
    }

    /// What somebody else has reached.
    pub(crate) fn on_answer(&mut self, attempt: Serial, outcome: Outcome) {
        self.done.push_back((attempt, outcome));
    }

    /// What became of an attempt: a connected socket, or the last address's error.
    pub(crate) fn poll(&mut self) -> Option<(Serial, Outcome)> {
        self.done.pop_front()
    }

    /// Outcomes wait to be asked for.
    pub(crate) fn has_work(&self) -> bool {
        !self.done.is_empty() || !self.away.is_empty()
    }

    /// Something happened to a socket that connects.
    pub(crate) fn on_ready(&mut self, turn: &Turn<'_>, number: Serial) {
        let Some(attempt) = self.attempts.get_mut(&number) else { return };
        match attempt.socket.as_ref().and_then(kernel::outcome) {
            None => {}
            Some(Ok(())) => {
                if let Some(socket) = attempt.socket.take() {
                    turn.unwatch(socket.as_fd());
                    self.finish(number, Ok(socket));
                }
            }
            Some(Err(error)) => {
                attempt.error = error;
                attempt.socket = None;
                self.try_next(turn, number);
            }
        }
    }

    /// Threads have answers.
    pub(crate) fn on_lookups(&mut self, turn: &Turn<'_>) {
        let mut count = [0; 8];
        // It only says that there are some.
        let _ = rustix::io::read(&self.lookups.bell, &mut count);
        while let Ok((attempt, addresses)) = self.lookups.answers.try_recv() {
            self.lookups.running = self.lookups.running.saturating_sub(1);
            self.found(turn, attempt, addresses);
        }
        self.look_up(turn);
    }

    /// Starts threads for names that wait.
    fn look_up(&mut self, turn: &Turn<'_>) {
        while self.lookups.running < LOOKUPS_MAX {
            let Some((attempt, spot)) = self.lookups.waiting.pop_front() else { return };
            let (answer, bell) = (self.lookups.answer.clone(), Arc::clone(&self.lookups.bell));
            let thread = std::thread::Builder::new().name("lookup".into()).spawn(move || {
                // A name that is not found has no addresses.
                let found = spot.look_up().unwrap_or_default();
                if answer.send((attempt, found)).is_ok() {
                    // It counts up, and is far from full.
                    let _ = rustix::io::write(&bell, &1u64.to_ne_bytes());
                }
            });
            match thread {
                Ok(_) => self.lookups.running += 1,
                Err(_) => self.found(turn, attempt, Vec::new()),
            }
        }
    }

    fn found(&mut self, turn: &Turn<'_>, number: Serial, addresses: Vec<SocketAddr>) {
        if let Some(attempt) = self.attempts.get_mut(&number) {
            attempt.addresses = addresses.into();
            self.try_next(turn, number);
        }
    }

    /// Tries addresses until one connects, or may.
    fn try_next(&mut self, turn: &Turn<'_>, number: Serial) {
        let Some(attempt) = self.attempts.get_mut(&number) else { return };
        while let Some(address) = attempt.addresses.pop_front() {
            let begun = match attempt.transport {
                Transport::Tcp => kernel::connect_stream(address),
                Transport::Udp => kernel::connect_datagram(address).map(Begun::Connected),
            };
            match begun {
                Ok(Begun::Connected(socket)) => return self.finish(number, Ok(socket)),
                Ok(Begun::InProgress(socket)) => {
                    match turn.watch(socket.as_fd(), Source::Attempt(number).key(), kernel::BOTH) {
                        Ok(()) => {
                            attempt.socket = Some(socket);
                            return;
                        }
                        Err(_) => attempt.error = Errno::NOMEM,
                    }
                }
                // The first family's refusal says more than that there is no second one.
                Err(Errno::NETUNREACH | Errno::AFNOSUPPORT) if attempt.error != Errno::HOSTUNREACH => {}
                Err(error) => attempt.error = error,
            }
        }
        let error = attempt.error;
        self.finish(number, Err(error));
    }

    fn finish(&mut self, number: Serial, outcome: Outcome) {
        self.attempts.remove(&number);
        self.done.push_back((number, outcome));
    }
}
