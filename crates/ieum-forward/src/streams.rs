//! Connections.
//!
//! ```text
//!   accept(2) → Reaching ── the target is connected → Joined ── both ends passed on → gone
//!                  │ refused, unreachable: RST, gone     └ one half is reset → Dying ── all delivered, or late → RST, gone
//!                  └ given up by the client: gone
//! ```
//!
//! The kernel has answered the client before we know whether the target takes it: so a refusal shows as a connection that
//! is reset at once, and never as one that ends without a word.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::os::fd::{AsFd, OwnedFd};

use ieum_engine::{Ready, Serial, Serials, Turn};
use ieum_exit::kernel;
use ieum_wire::Instant;
use rustix::io::Errno;
use rustix::net::{SocketFlags, accept_with};

use crate::bounds::{ACCEPT_RETRY, ACCEPTS_PER_TURN_MAX, FLOWS_MAX, RESET_CHECK, RESET_WITHIN};
use crate::counts::Counts;
use crate::dial::{Dialer, Outcome};
use crate::direction::{Direction, Half, Means, Step, reset};
use crate::forwarder::{Leads, RuleId};
use crate::key::Source;

/// What a flow may use while something happens to it.
pub(crate) struct Context<'a> {
    pub(crate) turn: &'a Turn<'a>,
    pub(crate) leads: &'a mut Leads,
    pub(crate) dialer: &'a mut Dialer,
}

/// A listening socket of a rule.
#[derive(Debug)]
struct Port {
    rule: RuleId,
    socket: OwnedFd,
    /// The kernel may have connections for us.
    acceptable: bool,
    /// Nothing could be taken for want of descriptors or flows: when to try again.
    paused_until: Option<Instant>,
}

#[derive(Debug)]
struct Flow {
    rule: RuleId,
    client: Half,
    stage: Stage,
    queued: bool,
    /// One half was reset: when the other one is too, whatever it has not taken by then.
    reset_at: Option<Instant>,
}

#[derive(Debug)]
enum Stage {
    /// The target is being reached.
    Reaching(Serial),
    /// Bytes pass.
    Joined { server: Half, there: Direction, back: Direction },
}

/// What is left of a flow whose one half was reset: the other one, which has not yet delivered what came before.
#[derive(Debug)]
struct Dying {
    half: Half,
    until: Instant,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Verdict {
    Stay,
    More,
    /// One half was reset, and the other has not taken what had come before.
    Owes,
    Over,
    /// One half was reset: the client's, the server's.
    Reset {
        client: bool,
    },
    /// Both were.
    Gone,
}

/// All connections.
#[derive(Debug)]
pub(crate) struct Streams {
    ports: BTreeMap<Serial, Port>,
    flows: BTreeMap<Serial, Flow>,
    /// Flows by the attempt that they wait for.
    reaching: HashMap<Serial, Serial>,
    serials: Serials,
    /// Flows to be looked at, each once.
    queue: VecDeque<Serial>,
    dying: Vec<Dying>,
    /// Flows with one half that was reset, by when the other one will be; some have ended meanwhile.
    owing: VecDeque<(Instant, Serial)>,
    check_at: Option<Instant>,
    means: Means,
}

impl Streams {
    pub(crate) fn new() -> Streams {
        Streams {
            ports: BTreeMap::new(),
            flows: BTreeMap::new(),
            reaching: HashMap::new(),
            serials: Serials::default(),
            queue: VecDeque::new(),
            dying: Vec::new(),
            owing: VecDeque::new(),
            check_at: None,
            means: Means::new(),
        }
    }

    /// Takes connections from all of these sockets, or, if one cannot be watched, from none: they are closed then.
    pub(crate) fn open(
        &mut self,
        turn: &Turn<'_>,
        rule: RuleId,
        sockets: Vec<OwnedFd>,
    ) -> std::io::Result<()> {
        let watched = sockets.into_iter().map(|socket| {
            let serial = self.serials.next();
            turn.watch(socket.as_fd(), Source::Port(serial).key(), kernel::READ)?;
            Ok((serial, Port { rule, socket, acceptable: true, paused_until: None }))
        });
        let ports = watched.collect::<std::io::Result<Vec<_>>>()?;
        self.ports.extend(ports);
        Ok(())
    }

    /// Ceases to take connections for a rule; those that the kernel has already taken for it are.
    pub(crate) fn close(&mut self, cx: &mut Context<'_>, rule: RuleId) {
        let of_rule = |(serial, port): (&Serial, &Port)| (port.rule == rule).then_some(*serial);
        for serial in self.ports.iter().filter_map(of_rule).collect::<Vec<_>>() {
            while self.accept_some(cx, serial) {}
            if let Some(port) = self.ports.remove(&serial) {
                // It may live on for the rule that comes in its place.
                cx.turn.unwatch(port.socket.as_fd());
            }
        }
    }

    /// No connection is left.
    pub(crate) fn is_idle(&self) -> bool {
        self.flows.is_empty() && self.dying.is_empty()
    }

    /// Ends all by a reset; how many there were.
    pub(crate) fn cut(&mut self, cx: &mut Context<'_>) -> usize {
        let count = self.flows.len();
        for serial in self.flows.keys().copied().collect::<Vec<_>>() {
            if let Some(flow) = self.remove(cx, serial) {
                flow.reset();
            }
        }
        self.dying.drain(..).for_each(|dying| reset(dying.half));
        count
    }

    pub(crate) fn on_port(&mut self, serial: Serial) {
        if let Some(port) = self.ports.get_mut(&serial) {
            port.acceptable = true;
        }
    }

    pub(crate) fn on_client(&mut self, serial: Serial, ready: Ready) {
        if let Some(flow) = self.flows.get_mut(&serial) {
            told(&mut flow.client, ready);
            self.enqueue(serial);
        }
    }

    pub(crate) fn on_server(&mut self, serial: Serial, ready: Ready) {
        if let Some(Flow { stage: Stage::Joined { server, .. }, .. }) = self.flows.get_mut(&serial) {
            told(server, ready);
            self.enqueue(serial);
        }
    }

    /// An attempt ended; the outcome comes back if it is none of these flows'.
    pub(crate) fn on_reached(
        &mut self,
        cx: &mut Context<'_>,
        attempt: Serial,
        outcome: Outcome,
    ) -> Option<Outcome> {
        let Some(serial) = self.reaching.remove(&attempt) else { return Some(outcome) };
        let flow = self.flows.get_mut(&serial)?;
        let joined = outcome.and_then(|server| {
            kernel::prepare_stream(&server);
            let watched = cx.turn.watch(server.as_fd(), Source::Server(serial).key(), kernel::BOTH);
            watched.map(|()| server).map_err(|_| Errno::NOMEM)
        });
        match joined {
            Ok(server) => {
                let [there, back] = [Direction::default(), Direction::default()];
                flow.stage = Stage::Joined { server: Half::new(server), there, back };
                self.enqueue(serial);
            }
            Err(error) => {
                let rule = flow.rule;
                if let Some(flow) = self.remove(cx, serial) {
                    reset(flow.client);
                }
                cx.leads.count(rule, |counts| {
                    if kernel::is_shortage(error) {
                        counts.shortages += 1;
                    }
                    counts.refused += 1;
                });
            }
        }
        None
    }

    /// Takes connections, and moves bytes of each flow in the queue once.
    pub(crate) fn settle(&mut self, cx: &mut Context<'_>) {
        let has_work = |(serial, port): (&Serial, &Port)| port.has_work().then_some(*serial);
        for serial in self.ports.iter().filter_map(has_work).collect::<Vec<_>>() {
            self.accept_some(cx, serial);
        }
        for _ in 0..self.queue.len() {
            let Some(serial) = self.queue.pop_front() else { return };
            self.look_at(cx, serial);
        }
    }

    pub(crate) fn has_work(&self) -> bool {
        !self.queue.is_empty() || self.ports.values().any(Port::has_work)
    }

    pub(crate) fn deadline(&self) -> Option<Instant> {
        let retry = self.ports.values().filter_map(|port| port.paused_until).min();
        let owing = self.owing.front().map(|(at, _)| *at);
        [retry, self.check_at, owing].into_iter().flatten().min()
    }

    pub(crate) fn on_deadline(&mut self, now: Instant) {
        for port in self.ports.values_mut() {
            port.paused_until = port.paused_until.filter(|until| *until > now);
        }
        while let Some((_, serial)) = self.owing.front().copied().filter(|(at, _)| *at <= now) {
            self.owing.pop_front();
            self.enqueue(serial);
        }
        if self.check_at.is_some_and(|at| at <= now) {
            let (over, dying): (Vec<_>, _) =
                std::mem::take(&mut self.dying).into_iter().partition(|dying| dying.is_due(now));
            self.dying = dying;
            over.into_iter().for_each(|dying| reset(dying.half));
            self.check_at = (!self.dying.is_empty()).then(|| now + RESET_CHECK);
        }
    }

    /// Takes a share of the connections that wait at a port. True when there may be more at once.
    fn accept_some(&mut self, cx: &mut Context<'_>, serial: Serial) -> bool {
        for _ in 0..ACCEPTS_PER_TURN_MAX {
            let Some(port) = self.ports.get_mut(&serial) else { return false };
            let flags = SocketFlags::NONBLOCK | SocketFlags::CLOEXEC;
            let is_full = self.flows.len() >= FLOWS_MAX;
            let taken = if is_full { Err(Errno::MFILE) } else { accept_with(&port.socket, flags) };
            let rule = port.rule;
            match taken {
                Ok(socket) => self.enter(cx, rule, socket),
                Err(Errno::INTR | Errno::CONNABORTED) => {}
                Err(error) if kernel::is_shortage(error) => {
                    port.paused_until = Some(cx.turn.now + ACCEPT_RETRY);
                    cx.leads.count(rule, |counts| counts.shortages += 1);
                    return false;
                }
                // EAGAIN: no more. Anything else is of one connection, or tells that this socket is over.
                Err(_) => {
                    port.acceptable = false;
                    return false;
                }
            }
        }
        true
    }

    fn enter(&mut self, cx: &mut Context<'_>, rule: RuleId, socket: OwnedFd) {
        let serial = self.serials.next();
        kernel::prepare_stream(&socket);
        let target = cx.leads.target(rule);
        let watched = cx.turn.watch(socket.as_fd(), Source::Client(serial).key(), kernel::BOTH);
        let (Some((to, transport)), Ok(())) = (target, watched) else { return kernel::reset(socket) };
        let attempt = cx.dialer.reach(cx.turn, &to, transport);
        self.reaching.insert(attempt, serial);
        let flow = Flow {
            rule,
            client: Half::new(socket),
            stage: Stage::Reaching(attempt),
            queued: false,
            reset_at: None,
        };
        self.flows.insert(serial, flow);
        cx.leads.count(rule, |counts| {
            counts.now += 1;
            counts.total += 1;
        });
    }

    fn look_at(&mut self, cx: &mut Context<'_>, serial: Serial) {
        let Some(flow) = self.flows.get_mut(&serial) else { return };
        flow.queued = false;
        let (rule, now, reset_at) = (flow.rule, cx.turn.now, flow.reset_at);
        let is_late = reset_at.is_some_and(|at| at <= now);
        let verdict = match &mut flow.stage {
            // Its end of file may be a client's that has said all it has to say; but who is gone wants no answer.
            Stage::Reaching(_) if flow.client.is_gone => Verdict::Gone,
            Stage::Reaching(_) => Verdict::Stay,
            Stage::Joined { server, there, back } => {
                let (mut bytes_there, mut bytes_back) = (0, 0);
                let client = &mut flow.client;
                let steps = [
                    there.carry(&mut self.means, client, server, &mut bytes_there),
                    back.carry(&mut self.means, server, client, &mut bytes_back),
                    // What failed in writing is to be read of now.
                    there.carry(&mut self.means, client, server, &mut bytes_there),
                ];
                if bytes_there + bytes_back > 0 {
                    cx.leads.count(rule, |counts| {
                        counts.bytes_there += bytes_there;
                        counts.bytes_back += bytes_back;
                    });
                }
                judge(client, server, there, back, steps.contains(&Step::Share))
            }
        };
        match verdict {
            Verdict::Stay => {}
            Verdict::More => self.enqueue(serial),
            Verdict::Owes if is_late => {
                cx.leads.count(rule, |counts| counts.reset += 1);
                if let Some(flow) = self.remove(cx, serial) {
                    flow.reset();
                }
            }
            Verdict::Owes => {
                if let Some(flow) = self.flows.get_mut(&serial)
                    && flow.reset_at.is_none()
                {
                    let at = now + RESET_WITHIN;
                    flow.reset_at = Some(at);
                    self.owing.push_back((at, serial));
                }
            }
            Verdict::Over | Verdict::Gone => {
                if verdict == Verdict::Gone {
                    cx.leads.count(rule, |counts| counts.reset += 1);
                }
                drop(self.remove(cx, serial));
            }
            Verdict::Reset { client } => {
                cx.leads.count(rule, |counts| counts.reset += 1);
                let Some(flow) = self.remove(cx, serial) else { return };
                let Stage::Joined { server, .. } = flow.stage else { return };
                let (gone, left) = if client { (flow.client, server) } else { (server, flow.client) };
                reset(gone);
                let dying = Dying { half: left, until: reset_at.unwrap_or(now + RESET_WITHIN) };
                if dying.is_due(now) {
                    reset(dying.half);
                } else {
                    self.dying.push(dying);
                    self.check_at.get_or_insert(now + RESET_CHECK);
                }
            }
        }
    }

    fn enqueue(&mut self, serial: Serial) {
        if let Some(flow) = self.flows.get_mut(&serial)
            && !flow.queued
        {
            flow.queued = true;
            self.queue.push_back(serial);
        }
    }

    fn remove(&mut self, cx: &mut Context<'_>, serial: Serial) -> Option<Flow> {
        let flow = self.flows.remove(&serial)?;
        if let Stage::Reaching(attempt) = flow.stage {
            self.reaching.remove(&attempt);
            cx.dialer.give_up(attempt);
        }
        cx.leads.count(flow.rule, |counts: &mut Counts| counts.now = counts.now.saturating_sub(1));
        cx.leads.forget_if_over(flow.rule);
        Some(flow)
    }
}

impl Flow {
    /// Ends both halves by a reset.
    fn reset(self) {
        reset(self.client);
        if let Stage::Joined { server, .. } = self.stage {
            reset(server);
        }
    }
}

impl Port {
    fn has_work(&self) -> bool {
        self.acceptable && self.paused_until.is_none()
    }
}

impl Dying {
    /// Everything is acknowledged, or it has taken too long.
    fn is_due(&self, now: Instant) -> bool {
        self.until <= now || kernel::undelivered_bytes(&self.half.socket) == 0
    }
}

fn told(half: &mut Half, ready: Ready) {
    half.readable |= ready.read || ready.read_hangup || ready.hangup || ready.error;
    half.writable |= ready.write || ready.hangup || ready.error;
    half.is_gone |= ready.hangup || ready.error;
    half.is_broken |= ready.error;
}

/// How a joined flow stands after its turn.
fn judge(client: &Half, server: &Half, there: &Direction, back: &Direction, has_more: bool) -> Verdict {
    match (client.failed, server.failed) {
        (true, true) => Verdict::Gone,
        // What had come before goes out first.
        (true, false) if there.is_waiting(server) => Verdict::Owes,
        (false, true) if back.is_waiting(client) => Verdict::Owes,
        (true, false) => Verdict::Reset { client: true },
        (false, true) => Verdict::Reset { client: false },
        // Nothing more is read before what was read is taken, and so the failure neither.
        (false, false) if client.is_broken && there.is_waiting(server) => Verdict::Owes,
        (false, false) if server.is_broken && back.is_waiting(client) => Verdict::Owes,
        (false, false) if there.is_over() && back.is_over() => Verdict::Over,
        (false, false) if has_more => Verdict::More,
        (false, false) => Verdict::Stay,
    }
}
