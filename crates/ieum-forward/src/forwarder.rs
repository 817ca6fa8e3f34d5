//! What leads where in one process, and all that passes: the machine's own rules in the first process, those of a host in
//! its worker.

use std::collections::BTreeMap;
use std::io;
use std::os::fd::OwnedFd;

use ieum_control::Name;
use ieum_engine::{Ready, Serial, Turn};
use ieum_exit::Transport;
use ieum_wire::Instant;

use crate::bounds::PAST_RULES_MAX;
use crate::counts::Counts;
use crate::datagrams::Datagrams;
use crate::dial::{Dialer, Outcome};
use crate::key::Source;
use crate::spot::Spot;
use crate::streams::{Context, Streams};

/// A rule, by a number that is given once.
pub(crate) type RuleId = u64;

/// Where rules lead, and what passed.
#[derive(Debug, Default)]
pub(crate) struct Leads {
    leads: BTreeMap<RuleId, Lead>,
    /// What passed rules that are no more.
    past: BTreeMap<RuleId, Counts>,
}

#[derive(Debug)]
struct Lead {
    to: Spot,
    transport: Transport,
    counts: Counts,
    /// It listens; else its last connections go on.
    is_open: bool,
}

impl Leads {
    /// Where a rule leads at the moment.
    pub(crate) fn target(&self, rule: RuleId) -> Option<(Spot, Transport)> {
        self.leads.get(&rule).map(|lead| (lead.to.clone(), lead.transport))
    }

    pub(crate) fn count(&mut self, rule: RuleId, add: impl FnOnce(&mut Counts)) {
        if let Some(lead) = self.leads.get_mut(&rule) {
            add(&mut lead.counts);
        }
    }

    /// A rule that listens no more is over with its last connection: its counts alone are kept.
    pub(crate) fn forget_if_over(&mut self, rule: RuleId) {
        if !self.leads.get(&rule).is_some_and(|lead| !lead.is_open && lead.counts.now == 0) {
            return;
        }
        let counts = self.leads.remove(&rule).map(|lead| lead.counts).filter(|counts| counts.total > 0);
        self.past.extend(counts.map(|counts| (rule, counts)));
        if self.past.len() > PAST_RULES_MAX {
            self.past.pop_first();
        }
    }

    /// Of each rule, the older first.
    fn counts(&self) -> BTreeMap<RuleId, Counts> {
        let now = self.leads.iter().map(|(rule, lead)| (*rule, lead.counts));
        self.past.iter().map(|(rule, counts)| (*rule, *counts)).chain(now).collect()
    }
}

/// Rules and what passes them.
#[derive(Debug)]
pub(crate) struct Forwarder {
    leads: Leads,
    streams: Streams,
    datagrams: Datagrams,
    dialer: Dialer,
    /// Attempts that were none of ours: somebody else has asked for them.
    reached: Vec<(Serial, Outcome)>,
}

impl Forwarder {
    /// Without rules, in the host `home` or the machine.
    pub(crate) fn new(home: Option<Name>) -> io::Result<Forwarder> {
        Ok(Forwarder {
            leads: Leads::default(),
            streams: Streams::new(),
            datagrams: Datagrams::new(),
            dialer: Dialer::new(home)?,
            reached: Vec::new(),
        })
    }

    pub(crate) fn start(&self, turn: &Turn<'_>) -> io::Result<()> {
        self.dialer.start(turn)
    }

    /// From now on what comes to these sockets goes to `to`.
    ///
    /// # Errors
    ///
    /// One of them cannot be watched. Then all are closed, and there is no such rule.
    pub(crate) fn open(
        &mut self,
        turn: &Turn<'_>,
        rule: RuleId,
        to: Spot,
        transport: Transport,
        sockets: Vec<OwnedFd>,
    ) -> io::Result<()> {
        match transport {
            Transport::Tcp => self.streams.open(turn, rule, sockets)?,
            Transport::Udp => self.datagrams.open(turn, rule, sockets)?,
        }
        self.leads.leads.insert(rule, Lead { to, transport, counts: Counts::default(), is_open: true });
        Ok(())
    }

    /// What comes from now on goes elsewhere; connections that are there stay where they are.
    pub(crate) fn aim(&mut self, turn: &Turn<'_>, rule: RuleId, to: Spot) {
        if let Some(lead) = self.leads.leads.get_mut(&rule) {
            lead.to = to;
        }
        let (mut cx, _, datagrams) = self.parts(turn);
        datagrams.renew(&mut cx, rule);
    }

    /// Nothing new comes over a rule; connections go on to their end.
    pub(crate) fn close(&mut self, turn: &Turn<'_>, rule: RuleId) {
        let (mut cx, streams, datagrams) = self.parts(turn);
        streams.close(&mut cx, rule);
        datagrams.close(&mut cx, rule);
        if let Some(lead) = self.leads.leads.get_mut(&rule) {
            lead.is_open = false;
        }
        self.leads.forget_if_over(rule);
    }

    /// Nothing new comes over any rule.
    pub(crate) fn close_all(&mut self, turn: &Turn<'_>) {
        for rule in self.leads.leads.keys().copied().collect::<Vec<_>>() {
            let (mut cx, streams, datagrams) = self.parts(turn);
            streams.close(&mut cx, rule);
            datagrams.close(&mut cx, rule);
        }
    }

    /// Ends all connections by a reset; how many there were.
    pub(crate) fn cut(&mut self, turn: &Turn<'_>) -> usize {
        let (mut cx, streams, _) = self.parts(turn);
        streams.cut(&mut cx)
    }

    /// No connection is left.
    pub(crate) fn is_idle(&self) -> bool {
        self.streams.is_idle()
    }

    /// What passed each rule.
    pub(crate) fn counts(&self) -> BTreeMap<RuleId, Counts> {
        self.leads.counts()
    }

    /// What reaches targets, for others too.
    pub(crate) fn dialer(&mut self) -> &mut Dialer {
        &mut self.dialer
    }

    /// Attempts that others have asked for, and what became of them; in a worker, those given up meanwhile.
    pub(crate) fn take_reached(&mut self) -> Vec<(Serial, Outcome)> {
        std::mem::take(&mut self.reached)
    }

    /// A source is ready; false: it is none of these.
    pub(crate) fn on_ready(&mut self, turn: &Turn<'_>, source: Source, ready: Ready) -> bool {
        match source {
            Source::Client(serial) => self.streams.on_client(serial, ready),
            Source::Server(serial) => self.streams.on_server(serial, ready),
            Source::Port(serial) => self.streams.on_port(serial),
            Source::DatagramPort(serial) => self.datagrams.on_port(serial),
            Source::Association(serial) => self.datagrams.on_association(serial),
            Source::Attempt(serial) => self.dialer.on_ready(turn, serial),
            Source::Lookups => self.dialer.on_lookups(turn),
            Source::Worker(_) | Source::Signal(_) | Source::File => return false,
        }
        true
    }

    pub(crate) fn settle(&mut self, turn: &Turn<'_>) {
        let (mut cx, streams, datagrams) = self.parts(turn);
        streams.settle(&mut cx);
        datagrams.settle(&mut cx);
        while let Some((attempt, outcome)) = self.dialer.poll() {
            let (mut cx, streams, datagrams) = self.parts(turn);
            let others = streams
                .on_reached(&mut cx, attempt, outcome)
                .and_then(|outcome| datagrams.on_reached(&mut cx, attempt, outcome));
            self.reached.extend(others.map(|outcome| (attempt, outcome)));
        }
    }

    /// Somebody has more to do than one turn's share.
    pub(crate) fn has_work(&self) -> bool {
        self.streams.has_work() || self.datagrams.has_work() || self.dialer.has_work()
    }

    pub(crate) fn deadline(&self) -> Option<Instant> {
        [self.streams.deadline(), self.datagrams.deadline()].into_iter().flatten().min()
    }

    pub(crate) fn on_deadline(&mut self, turn: &Turn<'_>) {
        let (mut cx, streams, datagrams) = self.parts(turn);
        streams.on_deadline(turn.now);
        datagrams.on_deadline(&mut cx);
    }

    fn parts<'a>(&'a mut self, turn: &'a Turn<'a>) -> (Context<'a>, &'a mut Streams, &'a mut Datagrams) {
        let Forwarder { leads, streams, datagrams, dialer, .. } = self;
        (Context { turn, leads, dialer }, streams, datagrams)
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::net::{TcpListener, TcpStream, UdpSocket};
    use std::time::Duration;

    use ieum_engine::{Poller, Sleeper};
    use ieum_exit::kernel;
    use rustix::event::{PollFd, PollFlags, Timespec, poll};

    use super::*;
    use crate::bounds::RESET_WITHIN;

    /// Everything that can be done at `now`.
    fn drive(forwarder: &mut Forwarder, poller: &Poller, now: Instant) {
        let (mut sleeper, mut told) = (Sleeper::new(poller), Vec::new());
        let turn = poller.turn(now, 0);
        loop {
            sleeper.wait(Some(Duration::ZERO), &mut told).unwrap();
            if told.is_empty() && !forwarder.has_work() {
                return;
            }
            for (_, key, ready) in &told {
                forwarder.on_ready(&turn, Source::of(*key), *ready);
            }
            forwarder.settle(&turn);
        }
    }

    #[test]
    fn a_reset_comes_in_spite_of_who_does_not_read_what_came_before_it() {
        let poller = Poller::new().unwrap();
        let mut forwarder = Forwarder::new(None).unwrap();
        let (listener, target) = (TcpListener::bind("127.0.0.1:0"), TcpListener::bind("127.0.0.1:0"));
        let (listener, target) = (listener.unwrap(), target.unwrap());
        listener.set_nonblocking(true).unwrap();
        let address = listener.local_addr().unwrap();
        let to = Spot::read(&target.local_addr().unwrap().to_string(), Transport::Tcp).unwrap();
        let turn = poller.turn(Instant::ZERO, 0);
        forwarder.open(&turn, 1, to, Transport::Tcp, vec![listener.into()]).unwrap();
        for is_of_client in [true, false] {
            let client = TcpStream::connect(address).unwrap();
            drive(&mut forwarder, &poller, Instant::ZERO);
            let (server, _) = target.accept().unwrap();
            drive(&mut forwarder, &poller, Instant::ZERO);
            let (mut gone, left) = if is_of_client { (client, server) } else { (server, client) };
            gone.set_nonblocking(true).unwrap();
            // Until nobody on the way takes any more.
            while gone.write(&[0; 1 << 16]).is_ok() {
                drive(&mut forwarder, &poller, Instant::ZERO);
            }
            kernel::reset(gone.into());
            drive(&mut forwarder, &poller, Instant::ZERO);
            assert!(!forwarder.is_idle(), "who is left may still read");

            let late = forwarder.deadline().unwrap();
            assert_eq!(late, Instant::ZERO + RESET_WITHIN);
            forwarder.on_deadline(&poller.turn(late, 0));
            drive(&mut forwarder, &poller, late);
            assert!(forwarder.is_idle());
            let mut over = [PollFd::new(&left, PollFlags::empty())];
            poll(&mut over, Some(&Timespec::default())).unwrap();
            assert!(over[0].revents().contains(PollFlags::ERR | PollFlags::HUP), "{over:?}");
        }
        assert_eq!(forwarder.counts()[&1].reset, 2);
    }

    /// A descriptor that epoll refuses (EPERM), in the place of a socket that cannot be watched.
    fn unwatchable() -> OwnedFd {
        tempfile::tempfile().unwrap().into()
    }

    #[test]
    fn a_rule_of_which_one_socket_cannot_be_watched_is_none() {
        let poller = Poller::new().unwrap();
        let turn = poller.turn(Instant::ZERO, 0);
        let mut forwarder = Forwarder::new(None).unwrap();
        let to = Spot::read("127.0.0.1:9", Transport::Tcp).unwrap();

        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let sockets = vec![listener.into(), unwatchable()];
        assert!(forwarder.open(&turn, 1, to.clone(), Transport::Tcp, sockets).is_err());
        assert_eq!(TcpStream::connect(address).unwrap_err().kind(), io::ErrorKind::ConnectionRefused);

        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        let address = socket.local_addr().unwrap();
        let sockets = vec![socket.into(), unwatchable()];
        assert!(forwarder.open(&turn, 2, to.clone(), Transport::Udp, sockets).is_err());
        assert!(UdpSocket::bind(address).is_ok(), "its port is free again");

        assert_eq!(forwarder.counts(), BTreeMap::new());
        assert!(!forwarder.has_work());

        // The same sockets without the one that is at fault are a rule.
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        forwarder.open(&turn, 3, to, Transport::Tcp, vec![listener.into()]).unwrap();
        assert_eq!(forwarder.counts().into_keys().collect::<Vec<_>>(), [3]);
    }
}
