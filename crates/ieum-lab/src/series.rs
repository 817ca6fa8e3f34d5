//! The course of one flow: what its sender believed, moment by moment, and what its reader had.

use std::time::Duration;

use ieum_stack::Info;
use ieum_wire::Instant;

/// A moment of it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Sample {
    /// When.
    pub at: Instant,
    /// The congestion window, in segments.
    pub cwnd: u32,
    /// Slow start's end, in segments; `None` while there is none.
    pub ssthresh: Option<u32>,
    /// Segments believed to be in the network.
    pub in_flight: u32,
    /// The smoothed round trip.
    pub rtt: Option<Duration>,
    /// Bytes that the reader had.
    pub delivered_bytes: u64,
}

/// Windows from here on mean that there is none.
const NO_THRESHOLD: u32 = 0x7fff_ffff;

impl Sample {
    /// What a sender tells at one moment, and what its peer had read by then.
    pub fn of(at: Instant, info: &Info, delivered_bytes: u64) -> Sample {
        Sample {
            at,
            cwnd: info.cwnd,
            ssthresh: Some(info.ssthresh).filter(|ssthresh| *ssthresh < NO_THRESHOLD),
            in_flight: info.flight.in_flight(),
            rtt: info.rtt,
            delivered_bytes,
        }
    }
}

/// The course.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Series {
    samples: Vec<Sample>,
}

impl Series {
    /// The next moment; one that is like the last, but for the time, is not kept.
    pub fn add(&mut self, sample: Sample) {
        let is_news = self.samples.last().is_none_or(|last| Sample { at: sample.at, ..*last } != sample);
        if is_news {
            self.samples.push(sample);
        }
    }

    /// All moments, in their order.
    pub fn samples(&self) -> &[Sample] {
        &self.samples
    }
}
