//! The way of time: what was waited for did not come (RFC 9293 §3.10.8).

use std::time::Duration;

use ieum_wire::Instant;

use super::bounds::{BLACK_HOLE_RETRIES, RTO_FLOOR, RTO_MAX};
use super::connection::{Connection, Failure, Holder, Phase};
use super::open::Open;
use super::settings::TcpSettings;
use super::state::State;
use super::timers::Sleeper;
use super::{ConnectionId, HalfOpenId, Tcp};
use crate::context::Context;

/// What becomes of a connection by a time-out.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Outcome {
    /// It goes on, and may owe something.
    GoesOn,
    /// It is given up.
    GivenUp,
    /// It is given up, and the peer is told.
    Reset,
    /// Nobody waits for its end any more.
    Forgotten,
}

impl Tcp {
    /// Everything whose time has come.
    pub(crate) fn on_deadline(&mut self, cx: &mut Context<'_>) {
        while let Some(id) = self.time_wait_queue.front().copied()
            && self.time_waits.get(id).is_none_or(|waiting| waiting.until <= cx.now)
        {
            self.end_time_wait(cx, id);
        }
        while let Some(sleeper) = self.timers.pop_due(cx.now) {
            match sleeper {
                Sleeper::Connection(id) => self.wake_connection(cx, id),
                Sleeper::HalfOpen(id) => self.wake_half_open(id, cx.now),
            }
        }
    }

    fn wake_connection(&mut self, cx: &mut Context<'_>, id: ConnectionId) {
        let Some(connection) = self.connections.get_mut(id) else { return };
        connection.timer_at = None;
        match connection.timed_out(cx.now) {
            Outcome::GoesOn => {}
            Outcome::GivenUp => self.leave(cx, id, Some(Failure::TimedOut)),
            Outcome::Reset => self.abort(cx, id, Some(Failure::TimedOut)),
            // Linux says nothing here. The peer that still holds its half may learn by a RST that nobody will answer; an exit
            // gives its socket back then.
            Outcome::Forgotten if self.rules.resets_silent_ends => self.abort(cx, id, None),
            Outcome::Forgotten => self.leave(cx, id, None),
        }
        self.settle(cx, id);
    }

    fn wake_half_open(&mut self, id: HalfOpenId, now: Instant) {
        let Some(half_open) = self.half_opens.get_mut(id) else { return };
        half_open.timer_at = None;
        if half_open.timer.is_some_and(|at| at > now) {
            return self.sleep_half_open(id);
        }
        if half_open.timed_out(now) {
            if half_open.syn_ack_owed {
                self.owe_half_open(id);
            } else {
                self.sleep_half_open(id);
            }
        } else {
            self.remove_half_open(id);
        }
    }
}

impl Connection {
    /// Each of its timers that is due does its work.
    fn timed_out(&mut self, now: Instant) -> Outcome {
        let orphan = self.holder == Holder::Nobody;
        match &mut self.phase {
            Phase::Handshake(handshake) => {
                let due = handshake.syn.timer.is_some_and(|at| at <= now);
                if !due || handshake.timed_out(now, &self.settings) {
                    Outcome::GoesOn
                } else {
                    Outcome::GivenUp
                }
            }
            Phase::Open(open) => open.timed_out(now, &self.settings, orphan),
            Phase::Closed(_) => Outcome::GoesOn,
        }
    }
}

impl Open {
    fn timed_out(&mut self, now: Instant, settings: &TcpSettings, orphan: bool) -> Outcome {
        let clock = self.clock();
        self.recv.ack.on_deadline(now, clock);
        self.send.pacer.on_deadline(now);
        if orphan && self.state() == State::FinWait2 && self.fin_wait_until.is_some_and(|until| until <= now)
        {
            return Outcome::Forgotten;
        }
        if let Some(syn_ack) = &mut self.syn_ack {
            let due = syn_ack.timer().is_some_and(|at| at <= now);
            let goes_on = !due || syn_ack.timed_out(now, settings);
            return if goes_on { Outcome::GoesOn } else { Outcome::GivenUp };
        }
        let rings = self.send.timer().is_some_and(|at| at <= now);
        let overdue = self.given_up_at(settings).is_some_and(|at| at <= now);
        if overdue || (rings && self.send.awaits_answer() && self.is_hopeless(now, settings, orphan)) {
            // An orphan that cannot deliver its last bytes says so; else silence answers silence.
            return if orphan { Outcome::Reset } else { Outcome::GivenUp };
        }
        if rings {
            self.send.timed_out(now);
            self.judge_probe();
            if self.send.retries() > BLACK_HOLE_RETRIES {
                self.suspect_black_hole(settings);
            }
        }
        if let Some(keepalive) = settings.keepalive
            && self.keepalive_at(settings).is_some_and(|at| at <= now)
        {
            if self.probes >= keepalive.probes {
                return Outcome::Reset;
            }
            self.owe_keepalive(now);
        }
        Outcome::GoesOn
    }

    /// The alarm has rung as often as it may without an answer.
    fn is_hopeless(&self, now: Instant, settings: &TcpSettings, orphan: bool) -> bool {
        let retries_max = if orphan { settings.orphan_retries } else { settings.retries };
        let pinned = orphan && self.is_pinned(now, settings.orphan_retries);
        pinned || self.send.retries() >= retries_max
    }

    /// Does the peer answer, but take nothing, for as long as so many retransmissions last? Nobody is left who could want
    /// to wait for its window for ever. A peer that takes something, however slowly, is not meant (Linux:
    /// retransmits_timed_out): its last answer ended the wait, though the time-out stays doubled (Karn, RFC 6298 §3).
    fn is_pinned(&self, now: Instant, retries: u32) -> bool {
        let is_closed = self.send.window() == 0 || self.send.is_persisting();
        let asked_for = |since| now.since(since) >= time_of(retries);
        is_closed && self.send.waiting_since().is_some_and(asked_for)
    }
}

/// How long so many retransmissions take from the first to the last one's time-out, begun with the least time-out there is.
fn time_of(retries: u32) -> Duration {
    let doubled = (1..=retries.min(RETRIES_COUNTED_MAX)).map(|doublings| RTO_FLOOR * (1 << doublings));
    doubled.map(|rto| rto.min(RTO_MAX)).sum()
}

/// More than that are not added up: they last for half an hour and longer.
const RETRIES_COUNTED_MAX: u32 = 20;
