//! What is believed of the path, and what follows.
//!
//! ```text
//!  Open ──(something arrived beyond a hole)──▶ Disorder ──(a loss is believed)──▶ Recovery
//!    ▲                                                                               │
//!    ├────────────(everything sent before the loss was believed has arrived)────────┤
//!    │                                                                               │
//!    ├──◀── Reduced ◀──(a mark was echoed, or a tail probe repaired a loss)  (the timer fired)
//!    │                                                                               ▼
//!    └────────────────────────────(the same)──────────────────────────────────────  Loss
//! ```
//!
//! Entering Recovery or Loss remembers how things were ([`Recovery::begin`]); when it turns out that nothing was lost,
//! they become so again (`undo`): by duplicates reported for every repetition (DSACK, RFC 2883, RFC 3708), by a
//! timestamp older than the first repetition (Eifel, RFC 3522, RFC 4015), or after a time-out by the arrival of
//! something that was sent only once (F-RTO, RFC 5682 §3.1).
//!
//! Without SACK the same holds with duplicate acknowledgements in the place of blocks (RFC 5681, NewReno RFC 6582).

use ieum_wire::{Instant, SeqNumber};

use super::congestion::Window;
use super::prr::{Progress, Prr};
use super::rack::Disorder;
use super::{Alarm, Send};
use crate::tcp::bounds::REORDERING_SLACK;

/// What is believed of the path.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Default)]
pub enum Belief {
    /// Nothing is missing.
    #[default]
    Open,
    /// Something was overtaken, and may only be late.
    Disorder,
    /// Nothing is missing, the window sinks all the same.
    Reduced,
    /// Something is lost and is sent again, arrival by arrival.
    Recovery,
    /// The timer fired: all that did not go out lately is lost.
    Loss,
}

/// How things were before a loss was believed, should it turn out that there was none.
#[derive(Clone, Copy, Debug)]
struct Before {
    /// The left edge then.
    marker: SeqNumber,
    /// Repetitions whose duplicates were not reported. `None`: none was sent yet.
    repetitions: Option<u32>,
}

/// A tail probe under way (RFC 8985 §7).
#[derive(Clone, Copy, Debug)]
struct TailProbe {
    /// The right edge when it was sent (TLP.end_seq).
    until: SeqNumber,
    /// It repeated a segment (TLP.is_retrans).
    repeated: bool,
}

/// Belief and what it remembers.
pub(in crate::tcp) struct Recovery {
    belief: Belief,
    /// The right edge when the belief changed: it holds until that has arrived (RecoveryPoint).
    until: SeqNumber,
    prr: Prr,
    before: Option<Before>,
    /// The window and the threshold before; the threshold is 0 when there is no way back.
    cwnd_before: u32,
    ssthresh_before: u32,
    /// When the first repetition since all had arrived was sent.
    repeated_at: Option<Instant>,
    /// A time-out that may have been too early is being found out about.
    doubted: bool,
    /// New data goes before what is missing, to find that out (RFC 5682 §3.1 step 2b).
    pub(super) tries_new: bool,
    tail_probe: Option<TailProbe>,
    /// Both sides speak ECN; the peer is to be told that the window was reduced.
    ecn: bool,
    reduced_owed: bool,
}

/// What an acknowledgement brought, as far as belief goes.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(super) struct News {
    /// The left edge moved.
    pub(super) advanced: bool,
    /// Blocks told of something new.
    pub(super) sacked: bool,
    /// Something sent once, and before the belief changed, has arrived.
    pub(super) original: bool,
    /// Something sent more than once was acknowledged.
    pub(super) repeated: bool,
    /// A duplicate was reported, and for the tail probe.
    pub(super) duplicate: bool,
    pub(super) probe_duplicate: bool,
    /// The segment did more than acknowledge the same once more: data, a window, a new left edge.
    pub(super) is_not_bare: bool,
    /// A mark was echoed (RFC 3168).
    pub(super) marked: bool,
    /// The time at which the peer's timestamp was echoed, in ticks of a millisecond since the clock's zero.
    pub(super) echoed_ms: Option<u64>,
}

impl Recovery {
    pub(super) fn new(first: SeqNumber, ecn: bool) -> Recovery {
        Recovery {
            belief: Belief::Open,
            until: first,
            prr: Prr::default(),
            before: None,
            cwnd_before: 0,
            ssthresh_before: 0,
            repeated_at: None,
            doubted: false,
            tries_new: false,
            tail_probe: None,
            ecn,
            reduced_owed: false,
        }
    }

    /// The next new data is to tell the peer that the window was reduced (RFC 3168 §6.1.2).
    pub(super) fn owes_reduced(&self) -> bool {
        self.reduced_owed
    }

    pub(super) fn take_reduced(&mut self) -> bool {
        std::mem::take(&mut self.reduced_owed)
    }

    pub(in crate::tcp) fn belief(&self) -> Belief {
        self.belief
    }

    pub(super) fn until(&self) -> SeqNumber {
        self.until
    }

    /// The window sinks by proportion.
    pub(super) fn is_reducing(&self) -> bool {
        matches!(self.belief, Belief::Reduced | Belief::Recovery)
    }

    /// A tail probe may be sent: one at a time, and only while nothing is missing.
    pub(super) fn may_probe(&self) -> bool {
        matches!(self.belief, Belief::Open | Belief::Reduced)
    }

    /// A time-out was right: what was in flight then is lost, and no late arrival (F-RTO has looked, RFC 5682).
    pub(super) fn knows_of_loss(&self) -> bool {
        self.belief == Belief::Loss && !self.doubted
    }

    pub(super) fn is_probing(&self) -> bool {
        self.tail_probe.is_some()
    }

    pub(super) fn probed(&mut self, until: SeqNumber, repeated: bool) {
        self.tail_probe = Some(TailProbe { until, repeated });
    }

    /// A repetition went out.
    pub(super) fn repeated(&mut self, now: Instant, segments: u32) {
        self.repeated_at.get_or_insert(now);
        if let Some(before) = &mut self.before {
            before.repetitions = Some(before.repetitions.unwrap_or(0) + segments);
        }
    }

    /// So many segments went out, new ones or repetitions.
    pub(super) fn sent(&mut self, segments: u32) {
        if self.is_reducing() {
            self.prr.sent(segments);
        }
    }

    /// The peer has reported that so many repetitions up to `end` came twice.
    pub(super) fn duplicated(&mut self, end: SeqNumber, segments: u32) {
        if let Some(Before { marker, repetitions: Some(count) }) = &mut self.before
            && end.after(*marker)
        {
            *count = count.saturating_sub(segments);
        }
    }

    /// The range ends where the tail probe did.
    pub(super) fn is_of_probe(&self, end: SeqNumber) -> bool {
        self.tail_probe.is_some_and(|probe| probe.repeated && probe.until == end)
    }

    /// Was what is acknowledged sent before the first repetition? (Eifel detection, RFC 3522 §3.2)
    fn is_answer_to_original(&self, echoed_ms: Option<u64>) -> bool {
        let Some(repeated_at) = self.repeated_at else { return true };
        echoed_ms.is_some_and(|echoed| echoed < repeated_at.micros() / 1000)
    }

    fn may_undo(&self, echoed_ms: Option<u64>) -> bool {
        self.before.is_some_and(|before| before.repetitions == Some(0)) || {
            self.before.is_some() && self.is_answer_to_original(echoed_ms)
        }
    }
}

/// What the search for losses came to.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(super) struct Found {
    /// Others are waited for, under their own alarm.
    pub(super) waits: bool,
    /// A repetition was lost as well.
    repetition: bool,
}

impl Send {
    /// Something is or was out of order: what is to be believed now? Returns true when what may be overdue soon has its
    /// own alarm, so that no other is to be set.
    pub(super) fn judge(&mut self, now: Instant, news: &News) -> bool {
        let says_more = news.advanced || news.is_not_bare || news.duplicate || news.sacked;
        let duplicate = !says_more && !self.flight.is_empty();
        if news.marked {
            // Whatever becomes of the loss, the path is congested.
            self.recovery.ssthresh_before = 0;
        }
        if self.recovery.belief == Belief::Open {
            self.recovery.repeated_at = None;
        } else if self.una.at_or_after(self.recovery.until) && self.ends(news) {
            return false;
        }
        match self.recovery.belief {
            Belief::Recovery => {
                if !news.advanced {
                    self.count_duplicate(duplicate);
                } else if self.answers_original_in_part(news) {
                    return false;
                }
                self.undo_by_duplicates();
            }
            Belief::Loss => {
                self.doubt(news, duplicate);
                let found = self.find_lost(now, news.advanced);
                if self.recovery.belief != Belief::Open && !found.repetition {
                    return found.waits;
                }
            }
            Belief::Open | Belief::Disorder | Belief::Reduced => {
                if news.advanced {
                    self.flight.set_duplicates(0);
                }
                self.count_duplicate(duplicate);
                if self.recovery.belief != Belief::Reduced {
                    self.undo_by_duplicates();
                }
            }
        }
        let found = self.find_lost(now, news.advanced);
        if self.recovery.belief != Belief::Recovery {
            if self.flight.counts().lost > 0 {
                self.enter_recovery(news.marked);
            } else {
                if news.marked {
                    self.enter_reduced();
                }
                self.stay_open();
            }
        }
        found.waits
    }

    /// Everything that was out when the belief changed has arrived. True when nothing else is to be believed now.
    fn ends(&mut self, news: &News) -> bool {
        match self.recovery.belief {
            // Something sent after the reduction must arrive as well.
            Belief::Reduced if self.una != self.recovery.until => {
                self.end_reduction();
                self.believe(Belief::Open);
            }
            Belief::Recovery => {
                self.flight.set_duplicates(0);
                if self.end_by_undo_or_so(news) {
                    return true;
                }
                self.end_reduction();
            }
            Belief::Open | Belief::Disorder | Belief::Reduced | Belief::Loss => {}
        }
        false
    }

    /// Recovery or Loss → Open; back to how things were when nothing was lost. True when the belief has to stay, because
    /// without SACK late duplicates would look like a new loss (RFC 6582 §3.2).
    fn end_by_undo_or_so(&mut self, news: &News) -> bool {
        if self.recovery.may_undo(news.echoed_ms) {
            self.undo(false);
        } else {
            self.rack.recovered();
        }
        if self.una == self.recovery.until && !self.sack {
            return true;
        }
        self.believe(Belief::Open);
        false
    }

    /// After a time-out (RFC 5682 §3.1, with SACK).
    fn doubt(&mut self, news: &News, duplicate: bool) {
        let recovered = self.una.at_or_after(self.recovery.until);
        // One acknowledgement lets new data go first, and the next says whether that was right.
        self.recovery.tries_new = false;
        if news.advanced && self.recovery.may_undo(news.echoed_ms) {
            return self.undo_loss(false);
        }
        if self.recovery.doubted {
            if news.original && (self.sack || !news.repeated) {
                // Step 3b: what was sent once has arrived. Not all was lost, the time-out came too early.
                return self.undo_loss(true);
            }
            if self.nxt.after(self.recovery.until) {
                if news.sacked || duplicate {
                    // Step 3a: it was real.
                    self.recovery.doubted = false;
                }
            } else if news.advanced && !recovered {
                // Step 2b: new data will tell.
                self.recovery.until = self.nxt;
                self.recovery.tries_new = true;
                return;
            }
        }
        if recovered {
            self.flight.set_duplicates(0);
            self.end_by_undo_or_so(news);
            return;
        }
        // Without SACK duplicates tell of the new data, and go on to: were it counted as under way until all before it is
        // there, a small window would have no room for what is missing. (`advance` leaves them for that long.)
        self.count_duplicate(duplicate && self.nxt.after(self.recovery.until));
    }

    /// New data could not be sent to find out about a time-out: what is missing goes again.
    pub(super) fn give_up_doubt(&mut self) {
        self.recovery.tries_new = false;
        if !self.nxt.after(self.recovery.until) {
            self.recovery.doubted = false;
        }
    }

    /// A hole was filled in Recovery, by what had been sent first and was only late. True when nothing else is to be
    /// believed now: repetitions are still on their way, and more would make it worse.
    fn answers_original_in_part(&mut self, news: &News) -> bool {
        let is_late = self.recovery.before.is_some() && self.recovery.is_answer_to_original(news.echoed_ms);
        if !is_late {
            return false;
        }
        if self.flight.counts().again > 0 {
            return true;
        }
        self.undo(true);
        self.stay_open();
        false
    }

    fn undo_by_duplicates(&mut self) {
        if self.recovery.before.is_some_and(|before| before.repetitions == Some(0)) {
            self.undo(false);
            if self.recovery.belief == Belief::Recovery {
                self.stay_open();
            }
        }
    }

    fn undo_loss(&mut self, by_frto: bool) {
        self.undo(true);
        self.retries = 0;
        let must_stay = self.una == self.recovery.until && !self.sack;
        if !must_stay && (by_frto || self.sack) {
            self.believe(Belief::Open);
        }
    }

    /// Nothing was lost: window and threshold as they were (RFC 4015 §3.2).
    fn undo(&mut self, found: bool) {
        if found {
            self.flight.find_all();
        }
        if self.recovery.ssthresh_before > 0 {
            let window = &mut self.congestion;
            window.cwnd = window.cwnd.max(self.recovery.cwnd_before);
            window.ssthresh = window.ssthresh.max(self.recovery.ssthresh_before);
            self.algorithm.undone(&mut self.congestion);
        }
        self.recovery.before = None;
    }

    // Entering and leaving.

    fn believe(&mut self, belief: Belief) {
        if belief < Belief::Reduced && self.recovery.belief >= Belief::Reduced {
            self.algorithm.recovered(&mut self.congestion);
        }
        self.recovery.belief = belief;
        if belief == Belief::Open {
            self.recovery.doubted = false;
            self.recovery.tries_new = false;
        }
    }

    /// → Open, or Disorder while something is beyond a hole or was repeated.
    fn stay_open(&mut self) {
        if self.recovery.belief == Belief::Reduced {
            return;
        }
        if !self.flight.any_repeated() {
            self.recovery.repeated_at = None;
        }
        let calm = self.flight.counts().left() == 0 && !self.flight.any_repeated();
        let belief = if calm { Belief::Open } else { Belief::Disorder };
        if self.recovery.belief != belief {
            self.recovery.until = self.nxt;
            self.believe(belief);
        }
    }

    /// Remembers how things are.
    fn begin(&mut self) {
        let probes = u32::from(self.recovery.tail_probe.is_some_and(|probe| probe.repeated));
        let repetitions = Some(self.flight.counts().again + probes).filter(|count| *count > 0);
        self.recovery.before = Some(Before { marker: self.una, repetitions });
    }

    /// → Recovery (RFC 6675 §5, RFC 8985 §6.2 step 5).
    pub(super) fn enter_recovery(&mut self, marked: bool) {
        self.recovery.ssthresh_before = 0;
        self.begin();
        if !self.recovery.is_reducing() {
            self.recovery.ssthresh_before = if marked { 0 } else { self.congestion.remembered() };
            self.begin_reduction();
        }
        self.believe(Belief::Recovery);
    }

    /// Open or Disorder → Reduced, once a round trip, by a mark (RFC 3168 §6.1.2).
    fn enter_reduced(&mut self) {
        self.recovery.ssthresh_before = 0;
        if self.recovery.belief < Belief::Reduced {
            self.recovery.before = None;
            self.begin_reduction();
            self.believe(Belief::Reduced);
        }
    }

    /// → Loss, of what was too large for the path: the window stays, since nothing was congested (Linux:
    /// tcp_simple_retransmit).
    pub(super) fn enter_resized(&mut self) {
        if self.recovery.belief == Belief::Loss {
            return;
        }
        (self.recovery.before, self.recovery.tail_probe) = (None, None);
        self.recovery.until = self.nxt;
        self.recovery.ssthresh_before = 0;
        self.congestion.ssthresh = self.congestion.remembered();
        self.believe(Belief::Loss);
    }

    fn begin_reduction(&mut self) {
        self.recovery.until = self.nxt;
        self.recovery.tail_probe = None;
        self.recovery.cwnd_before = self.congestion.cwnd;
        self.recovery.prr = Prr::new(self.congestion.cwnd);
        self.congestion.forget_credit();
        self.congestion.ssthresh = self.algorithm.reduced(&self.congestion);
        self.recovery.reduced_owed = self.recovery.ecn;
    }

    /// The window has sunk: it is the threshold from now on, unless that was undone.
    fn end_reduction(&mut self) {
        let window = &mut self.congestion;
        let was_undone = self.recovery.before.is_none() && self.recovery.belief == Belief::Recovery;
        if window.ssthresh < Window::NO_THRESHOLD && !was_undone && !self.algorithm.decides() {
            window.cwnd = window.ssthresh;
        }
    }

    /// The window while it sinks, after something has arrived (RFC 9937).
    pub(super) fn reduce(&mut self, delivered: u32, is_safe: bool) {
        if self.algorithm.decides() {
            return;
        }
        let in_flight = self.flight.counts().in_flight();
        let progress = Progress { delivered, is_safe, in_flight };
        if let Some(cwnd) = self.recovery.prr.window(self.congestion.ssthresh, &progress) {
            self.congestion.cwnd = cwnd;
        }
    }

    /// The retransmission timer fired: → Loss (RFC 5681 §3.1, RFC 5682 §3.1 step 1).
    pub(super) fn enter_loss(&mut self, now: Instant) {
        if self.flight.first().is_some_and(|range| range.sacked) {
            // RFC 2018 §8: the peer has thrown away what it had.
            self.flight.forget_sacked();
        }
        let disorder = Disorder { overtook: 0, recovering: true, ..self.disorder() };
        let patience = self.rack.patience(&disorder);
        self.flight.lose_all(|sent| now.since(sent) < patience);

        let belief = self.recovery.belief;
        let is_new = belief <= Belief::Disorder
            || !self.recovery.until.after(self.una)
            || (belief == Belief::Loss && self.retries == 0);
        if is_new {
            self.recovery.ssthresh_before = self.congestion.remembered();
            self.recovery.cwnd_before = self.congestion.cwnd;
            self.congestion.ssthresh = self.algorithm.reduced(&self.congestion);
            self.algorithm.timed_out();
            self.begin();
        }
        let counts = self.flight.counts();
        self.congestion.cwnd = counts.in_flight() + 1;
        self.congestion.forget_credit();
        if belief <= Belief::Disorder && counts.sacked >= self.rack.degree() {
            self.rack.overestimated();
        }
        self.believe(Belief::Loss);
        self.recovery.until = self.nxt;
        self.recovery.tail_probe = None;
        self.recovery.reduced_owed = self.recovery.ecn;
        self.recovery.tries_new = false;
        self.recovery.doubted = self.tuning.doubts_timeouts && (is_new || self.retries > 0);
        self.tell_losses(now);
    }

    // What is lost.

    /// Finds what is overdue, by time or by duplicates.
    fn find_lost(&mut self, now: Instant, advanced: bool) -> Found {
        if !self.sack {
            let belief = self.recovery.belief;
            let many = self.flight.counts().duplicates >= self.rack.degree();
            if (belief < Belief::Recovery && many) || (belief == Belief::Recovery && advanced) {
                self.flight.lose_first();
            }
            return Found::default();
        }
        let Some(newest) = self.rack.take_advance() else { return Found::default() };
        self.lose_overdue(now, newest)
    }

    /// RFC 8985 §6.2 step 5.
    pub(super) fn lose_overdue(&mut self, now: Instant, newest: (Instant, SeqNumber)) -> Found {
        let patience = self.rack.patience(&self.disorder());
        let overdue = self.flight.lose_overdue(newest, |sent| patience.saturating_sub(now.since(sent)));
        // What would be waited for longer than the time-out, the time-out is there for: a round trip may have been
        // measured as minutes.
        let wait = overdue.wait.map(|wait| wait + REORDERING_SLACK).filter(|wait| *wait < self.rto.current());
        if let Some(wait) = wait {
            self.alarm = Some((now + wait, Alarm::Reorder));
        }
        Found { waits: wait.is_some(), repetition: overdue.repetition }
    }

    pub(super) fn disorder(&self) -> Disorder {
        Disorder {
            overtook: self.flight.counts().sacked,
            recovering: self.recovery.belief >= Belief::Recovery,
            smoothed: self.rto.smoothed(),
        }
    }

    /// Without SACK: one more segment has arrived beyond the hole.
    fn count_duplicate(&mut self, duplicate: bool) {
        if duplicate && !self.sack {
            self.flight.set_duplicates(self.flight.counts().duplicates + 1);
        }
    }

    // The tail probe (RFC 8985 §7.4).

    /// What an acknowledgement says about the probe under way.
    pub(super) fn hear_of_probe(&mut self, ack: SeqNumber, news: &News) {
        let Some(probe) = self.recovery.tail_probe else { return };
        if ack.before(probe.until) {
            return;
        }
        let bare = !(news.advanced || news.is_not_bare || news.sacked);
        if !probe.repeated || news.probe_duplicate || (bare && !ack.after(probe.until)) {
            // New data has arrived, or both copies have: nothing was lost.
            self.recovery.tail_probe = None;
        } else if ack.after(probe.until) {
            // Something later has arrived, but no duplicate was reported: the probe repaired a loss, which counts.
            self.recovery.tail_probe = None;
            self.begin_reduction();
            self.believe(Belief::Reduced);
            self.end_reduction();
            self.believe(Belief::Open);
            self.stay_open();
        }
    }
}
