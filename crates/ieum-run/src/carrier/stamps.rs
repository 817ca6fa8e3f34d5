//! When datagrams came that lie in S (SO_TIMESTAMP, SO_TIMESTAMPNS).
//!
//! S has SO_TIMESTAMPNS itself as soon as the program asks for times, and so the kernel says when S got each datagram.
//! That is when the datagram came, save for one that waited before: in the host's queue, while S had no room, or
//! because it was given back. Of those is remembered when they came, beside the moments between which they were
//! delivered: the kernel's stamp lies there, and finds them again, whatever the program has read natively meanwhile.
//!
//! What lay in S before the program asked is told as having come when it is read, as on Linux where nobody on the
//! machine has asked.

use std::collections::VecDeque;
use std::time::Duration;

use ieum_wire::Instant;
use rustix::time::{ClockId, clock_gettime};

use crate::bounds::STAMPS_MAX;

/// When a datagram came that is on its way to S.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Came {
    /// Into the host's queue, by the host's clock.
    At(Instant),
    /// At that time of day: it was in S already. `None`: that is not known any more.
    On(Option<Duration>),
}

/// What the kernel's stamps do not say of one S.
#[derive(Default, Debug)]
pub(super) struct Stamps {
    /// The program wants to know.
    wanted: bool,
    /// In the order in which they were delivered.
    late: VecDeque<Late>,
}

/// A datagram that had waited before S got it.
#[derive(Debug)]
struct Late {
    /// S got it between these times of day.
    delivered: (Duration, Duration),
    came: Duration,
}

impl Stamps {
    pub(super) fn set_wanted(&mut self, wanted: bool) {
        if self.wanted != wanted {
            self.wanted = wanted;
            self.late.clear();
        }
    }

    /// Is a delivery to be remembered?
    pub(super) fn are_wanted(&self) -> bool {
        self.wanted
    }

    /// S got between these times of day what came then; `now` is the turn's time.
    pub(super) fn delivered(&mut self, delivered: (Duration, Duration), now: Instant, came: Came) {
        let came = match came {
            Came::At(came_at) if came_at >= now => return,
            Came::At(came_at) => delivered.0.saturating_sub(now.since(came_at)),
            Came::On(Some(came)) => came,
            Came::On(None) => return,
        };
        if self.late.len() >= STAMPS_MAX {
            self.late.pop_front();
        }
        self.late.push_back(Late { delivered, came });
    }

    /// When that came which S got at the time of day that the kernel says; `read_since`: when the reading of it began. What has
    /// that stamp, or a later one, was in S before anybody asked, and got it by being read.
    pub(super) fn came(&mut self, stamp: Duration, read_since: Duration) -> Duration {
        if stamp >= read_since {
            return stamp;
        }
        // What was delivered before has been read before.
        while self.late.front().is_some_and(|late| late.delivered.1 < stamp) {
            self.late.pop_front();
        }
        let late = self.late.front().filter(|late| late.delivered.0 <= stamp);
        late.map_or(stamp, |late| late.came)
    }
}

/// The machine's clock.
pub(crate) fn time_of_day() -> Duration {
    let now = clock_gettime(ClockId::Realtime);
    let seconds = Duration::from_secs(u64::try_from(now.tv_sec).unwrap_or(0));
    seconds + Duration::from_nanos(u64::try_from(now.tv_nsec).unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Instant = Instant::from_micros(5_000_000);

    fn wanted() -> Stamps {
        let mut stamps = Stamps::default();
        stamps.set_wanted(true);
        stamps
    }

    fn at(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    #[test]
    fn what_waited_came_before_it_was_delivered() {
        let mut stamps = wanted();
        stamps.delivered((at(100), at(101)), NOW, Came::At(Instant::from_micros(2_000_000)));
        stamps.delivered((at(102), at(103)), NOW, Came::On(Some(at(50))));
        stamps.delivered((at(104), at(105)), NOW, Came::On(None));
        stamps.delivered((at(106), at(107)), NOW, Came::At(NOW));
        assert_eq!(stamps.came(at(99), at(99)), at(99), "which was there before anybody asked");
        let came = [100, 101, 102, 104, 106, 110].map(|stamp| stamps.came(at(stamp), at(120)));
        assert_eq!(came, [at(97), at(97), at(50), at(104), at(106), at(110)]);
    }

    #[test]
    fn what_the_program_read_natively_confuses_nobody() {
        let mut stamps = wanted();
        for step in 0..3 {
            stamps.delivered((at(10 * step), at(10 * step + 1)), NOW, Came::On(Some(at(1000 + step))));
        }
        assert_eq!(
            stamps.came(at(30), at(30)),
            at(30),
            "was there before anybody asked, and forgets nothing"
        );
        assert_eq!(stamps.came(at(20), at(40)), at(1002));
        assert_eq!(stamps.came(at(20), at(40)), at(1002), "a look leaves it there");
        stamps.set_wanted(false);
        assert_eq!(stamps.came(at(20), at(40)), at(20));
    }

    #[test]
    fn who_never_reads_by_our_calls_is_remembered_no_longer_than_its_queue() {
        let mut stamps = wanted();
        for step in 0..2 * STAMPS_MAX as u64 {
            stamps.delivered((at(step), at(step)), NOW, Came::On(Some(at(0))));
        }
        assert_eq!(stamps.late.len(), STAMPS_MAX);
    }
}
