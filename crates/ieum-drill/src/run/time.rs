//! When things are to happen, and whether they did.

use crate::config::Config;
use crate::script::Time;

/// An event's time once it is known what it is relative to; in microseconds since the script began.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Moment {
    pub(crate) time: Time,
    /// When, or from when on.
    pub(crate) start_us: i64,
    /// Until when; of what is no range the same.
    pub(crate) end_us: i64,
    /// What relative times count from.
    pub(crate) offset_us: i64,
}

impl Moment {
    /// The moment of an event whose relative times count from `offset_us`.
    pub(crate) fn of(time: Time, offset_us: i64) -> Moment {
        let (start_us, end_us) = match time {
            Time::Absolute(at) => (at, at),
            Time::Relative(after) => (offset_us + after, offset_us + after),
            Time::Any => (offset_us, offset_us),
            Time::AbsoluteRange(from, to) => (from, to),
            Time::RelativeRange(from, to) => (offset_us + from, offset_us + to),
        };
        Moment { time, start_us, end_us, offset_us }
    }

    /// Did `what` happen in time? `since_us` is how long after its predecessor it was expected: the longer, the more
    /// it may be off.
    pub(crate) fn verify(
        &self,
        config: &Config,
        actual_us: i64,
        since_us: Option<i64>,
        what: &str,
    ) -> Result<(), String> {
        let tolerance = config.tolerance_us(since_us);
        if self.time == Time::Any
            || (self.start_us - tolerance..=self.end_us + tolerance).contains(&actual_us)
        {
            return Ok(());
        }
        let (start, end, actual) = (seconds(self.start_us), seconds(self.end_us), seconds(actual_us));
        Err(match self.time {
            Time::AbsoluteRange(..) => format!(
                "timing error: expected {what} in time range {start}~{end} sec but happened at {actual} sec"
            ),
            Time::RelativeRange(from, to) => format!(
                "timing error: expected {what} in relative time range +{}~+{} sec but happened at {:+} sec",
                seconds(from),
                seconds(to),
                Seconds(actual_us - self.offset_us),
            ),
            Time::Absolute(_) | Time::Relative(_) | Time::Any => format!(
                "timing error: expected {what} at {start} sec but happened at {actual} sec; tolerance {} sec",
                seconds(tolerance),
            ),
        })
    }
}

/// Microseconds, shown as seconds.
struct Seconds(i64);

impl std::fmt::Display for Seconds {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let sign = if self.0 < 0 {
            "-"
        } else if f.sign_plus() {
            "+"
        } else {
            ""
        };
        let us = self.0.unsigned_abs();
        write!(f, "{sign}{}.{:06}", us / 1_000_000, us % 1_000_000)
    }
}

/// Microseconds as seconds with six places.
pub(crate) fn seconds(us: i64) -> String {
    Seconds(us).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Options;
    use crate::script::Script;

    fn config() -> Config {
        let script = Script::parse("0 `true`", &Options::default().defines()).unwrap();
        Config::of(&script, &Options::default()).unwrap()
    }

    #[test]
    fn what_is_late_by_more_than_its_tolerance_is_told() {
        let moment = Moment::of(Time::Relative(100_000), 1_000_000);
        let verify = |actual_us, since_us| moment.verify(&config(), actual_us, since_us, "outbound packet");
        assert_eq!(verify(1_104_000, None), Ok(()));
        assert_eq!(
            verify(1_104_001, None).unwrap_err(),
            "timing error: expected outbound packet at 1.100000 sec but happened at 1.104001 sec; tolerance 0.004000 sec"
        );
        // An eighth of a second and a bit: 12.5 % of a second.
        assert_eq!(verify(1_225_000, Some(1_000_000)), Ok(()));
        assert!(verify(1_225_001, Some(1_000_000)).is_err());
        assert_eq!(Moment::of(Time::Any, 0).verify(&config(), i64::MAX, None, "x"), Ok(()));
    }

    #[test]
    fn ranges_are_told_as_they_were_written() {
        let range = Moment::of(Time::RelativeRange(0, 10_000), 500_000);
        assert_eq!(
            range.verify(&config(), 520_000, None, "outbound packet").unwrap_err(),
            "timing error: expected outbound packet in relative time range +0.000000~+0.010000 sec but happened at \
             +0.020000 sec"
        );
        assert!(range.verify(&config(), 513_999, None, "outbound packet").is_ok());
    }
}
