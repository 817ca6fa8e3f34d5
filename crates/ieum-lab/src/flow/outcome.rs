//! What came of an experiment.

use std::time::Duration;

use crate::chain::Tally;
use crate::series::Series;

/// How one flow fared.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Fared {
    /// Bytes that its reader got.
    pub bytes: u64,
    /// From its beginning to the end of the experiment.
    pub duration: Duration,
    /// Segments sent again.
    pub repeated_segments: u64,
    /// The mean of the smoothed round trip.
    pub rtt: Option<Duration>,
}

impl Fared {
    /// Goodput in Mbit/s.
    pub fn mbits(&self) -> f64 {
        precise(self.bytes) * 8.0 / self.duration.as_secs_f64() / 1e6
    }
}

/// How all fared.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// Each flow.
    pub flows: Vec<Fared>,
    /// What became of the frames on the way to the receiver.
    pub wire: Tally,
    /// The course of the flow that was asked for.
    pub series: Option<Series>,
}

impl Outcome {
    /// Goodput of all together, in Mbit/s.
    pub fn mbits(&self) -> f64 {
        self.flows.iter().map(Fared::mbits).sum()
    }

    /// Segments sent again, by all.
    pub fn repeated_segments(&self) -> u64 {
        self.flows.iter().map(|flow| flow.repeated_segments).sum()
    }

    /// The mean round trip of all, in milliseconds.
    pub fn rtt_ms(&self) -> f64 {
        let known: Vec<f64> =
            self.flows.iter().filter_map(|flow| Some(flow.rtt?.as_secs_f64() * 1e3)).collect();
        known.iter().sum::<f64>() / precise(u64::try_from(known.len()).unwrap_or(0)).max(1.0)
    }

    /// Jain's index of their goodputs: 1 when all got the same, 1/n when one got all.
    pub fn jain(&self) -> f64 {
        jain(&self.flows.iter().map(Fared::mbits).collect::<Vec<_>>())
    }
}

/// Jain's index of fairness.
pub fn jain(shares: &[f64]) -> f64 {
    let sum: f64 = shares.iter().sum();
    let squares: f64 = shares.iter().map(|share| share * share).sum();
    let count = precise(u64::try_from(shares.len()).unwrap_or(0));
    if squares > 0.0 { sum * sum / (count * squares) } else { 1.0 }
}

/// The value in the middle; of an even number the mean of two. 0 of none.
pub fn median(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    match (sorted.get(sorted.len() / 2), sorted.len().is_multiple_of(2)) {
        (None, _) => 0.0,
        (Some(upper), false) => *upper,
        (Some(upper), true) => (sorted[sorted.len() / 2 - 1] + upper) / 2.0,
    }
}

/// A count as a number to divide: exact below 2⁵³, which no experiment reaches.
fn precise(count: u64) -> f64 {
    let [high, low] = [count >> 32, count & 0xffff_ffff].map(|half| u32::try_from(half).unwrap_or(u32::MAX));
    f64::from(high) * 4_294_967_296.0 + f64::from(low)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fairness_is_one_for_equals_and_one_of_n_for_a_glutton() {
        assert!((jain(&[5.0, 5.0, 5.0]) - 1.0).abs() < 1e-9);
        assert!((jain(&[9.0, 0.0, 0.0]) - 1.0 / 3.0).abs() < 1e-9);
        assert_eq!([median(&[3.0, 1.0, 2.0]), median(&[4.0, 1.0, 2.0, 3.0]), median(&[])], [2.0, 2.5, 0.0]);
    }
}
