//! What happened last in a world, a line each: frames as they were sent, what the wire did to them, and when they arrived.
//!
//! Bounded: only the last lines are kept, since a failure is understood from its end.

use std::collections::VecDeque;
use std::fmt::Write as _;

use ieum_wire::{Instant, Packet, Protocol, ip, tcp, udp};

use crate::chain::{Cause, Tally};
use crate::node::NodeId;

/// The last lines.
#[derive(Clone, Debug)]
pub struct Trace {
    lines: VecDeque<String>,
    lines_max: usize,
    /// Lines that gave way.
    forgotten: u64,
}

impl Trace {
    /// Keeps so many lines.
    pub(crate) fn new(lines_max: usize) -> Trace {
        Trace { lines: VecDeque::new(), lines_max, forgotten: 0 }
    }

    /// The lines, oldest first, and how many there were before.
    pub fn lines(&self) -> (u64, impl Iterator<Item = &str>) {
        (self.forgotten, self.lines.iter().map(String::as_str))
    }

    /// A line.
    pub(crate) fn add(&mut self, at: Instant, what: impl AsRef<str>) {
        if self.lines.len() >= self.lines_max {
            self.lines.pop_front();
            self.forgotten += 1;
        }
        let us = at.micros();
        self.lines.push_back(format!("{:>6}.{:06} {}", us / 1_000_000, us % 1_000_000, what.as_ref()));
    }

    /// A frame was given to a wire; its tally before and after tells what that did to it.
    pub(crate) fn sent(
        &mut self,
        at: Instant,
        way: (NodeId, NodeId),
        frame: &Packet,
        tallies: (Tally, Tally),
    ) {
        let (before, after) = tallies;
        let mut line = format!("{} > {} {}", way.0.0, way.1.0, told(frame));
        for (cause, (was, is)) in Cause::ALL.iter().zip(before.lost.iter().zip(after.lost)) {
            if is > *was {
                let _ = write!(line, " LOST ({})", cause.name());
            }
        }
        if after.doubled > before.doubled {
            line += " DOUBLED";
        }
        if after.marked > before.marked {
            line += " MARKED";
        }
        self.add(at, line);
    }

    /// A frame has arrived.
    pub(crate) fn arrived(&mut self, at: Instant, to: NodeId, frame: &Packet) {
        self.add(at, format!("  > {} {}", to.0, told(frame)));
    }
}

/// A frame in one line, as tcpdump tells it.
pub fn told(frame: &Packet) -> String {
    let Ok(parsed) = ip::parse(frame.bytes()) else {
        return format!("no packet, {} bytes", frame.len());
    };
    let header = parsed.header;
    let payload = frame.bytes().get(parsed.header_bytes..parsed.total_bytes).unwrap_or_default();
    let ce = if header.tos & 3 == 3 { " CE" } else { "" };
    if let Some(fragment) = header.fragment
        && !fragment.is_whole()
    {
        return format!(
            "fragment {} at {}, {} bytes",
            fragment.identification,
            fragment.offset_bytes,
            payload.len()
        );
    }
    match header.protocol {
        Protocol::Tcp => match tcp::Header::parse(payload) {
            Ok((segment, data)) => format!("{}{ce}", told_segment(&segment, data.len())),
            Err(error) => format!("TCP {error:?}"),
        },
        Protocol::Udp => match udp::Header::parse(payload) {
            Ok(udp::Parsed { header, length_bytes, .. }) => {
                format!("UDP {}>{} {} bytes", header.source_port, header.destination_port, length_bytes - 8)
            }
            Err(error) => format!("UDP {error:?}"),
        },
        Protocol::Icmp4 | Protocol::Icmp6 | Protocol::Other(_) => {
            format!("{:?} {:?}, {} bytes", header.protocol, payload.first_chunk::<2>(), payload.len())
        }
    }
}

fn told_segment(segment: &tcp::Header, count: usize) -> String {
    let tcp::Header { source_port, destination_port, seq, ack, flags, window, options, .. } = segment;
    let letters = [
        (flags.syn, 'S'),
        (flags.fin, 'F'),
        (flags.rst, 'R'),
        (flags.psh, 'P'),
        (flags.ece, 'E'),
        (flags.cwr, 'W'),
        (flags.ack, '.'),
    ];
    let letters: String = letters.iter().filter(|(set, _)| *set).map(|(_, letter)| letter).collect();
    let mut line = format!(
        "TCP {source_port}>{destination_port} {letters} seq {} ack {} len {count} win {window}",
        seq.value(),
        ack.value()
    );
    for block in options.sack.as_slice() {
        let _ = write!(line, " sack {}:{}", block.begin.value(), block.end.value());
    }
    if let Some(stamps) = options.timestamps {
        let _ = write!(line, " ts {}/{}", stamps.value, stamps.echo);
    }
    line
}
