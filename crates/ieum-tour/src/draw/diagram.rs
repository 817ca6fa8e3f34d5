//! Sequence diagrams: a lane for each host, time downwards, packets as arrows between lanes.

use unicode_width::UnicodeWidthStr;

use crate::draw::page::answer;
use crate::draw::{WIDTH, padded};
use crate::event::{Event, Ms, What};
use crate::frame::{Carries, Frame, Segment};

/// Columns before the first lane: the time.
const FIRST_LANE: usize = 10;

/// What a segment's arrow says.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Numbers {
    /// Sequence numbers as they stand in the header, and options: for handshakes.
    Whole,
    /// Sequence numbers counted from the first.
    Relative,
    /// Flags and payload alone: where lanes are narrow.
    None,
}

/// A diagram of some hosts.
pub(crate) struct Diagram<'a> {
    /// Hosts by name, with what they are called.
    lanes: Vec<(&'static str, &'a str)>,
    numbers: Numbers,
}

impl<'a> Diagram<'a> {
    pub(crate) fn new(lanes: Vec<(&'static str, &'a str)>, numbers: Numbers) -> Diagram<'a> {
        Diagram { lanes, numbers }
    }

    /// The events of these hosts, a line or two each.
    pub(crate) fn draw(&self, events: &[Event]) -> String {
        let mut out = self.heads();
        let mut told = None;
        for event in events {
            for (number, line) in self.lines(&event.what).into_iter().enumerate() {
                let is_news = number == 0 && told != Some(event.at_ms);
                let time = if is_news { time(event.at_ms) } else { String::new() };
                told = Some(event.at_ms);
                let line = format!("{time:>8}{}", line.get(8..).unwrap_or_default());
                out += line.trim_end();
                out.push('\n');
            }
        }
        out
    }

    /// Where a host's lane is.
    fn at(&self, lane: usize) -> usize {
        let last = self.lanes.len().saturating_sub(1).max(1);
        FIRST_LANE + lane * (WIDTH - 4 - FIRST_LANE) / last
    }

    fn lane(&self, host: &str) -> Option<usize> {
        self.lanes.iter().position(|(name, _)| *name == host)
    }

    /// The names of the hosts over their lanes.
    fn heads(&self) -> String {
        let mut line = String::new();
        for (lane, (_, name)) in self.lanes.iter().enumerate() {
            let half = name.width() / 2;
            // The last one must not leave the page.
            let begin = self.at(lane).saturating_sub(half).min(WIDTH - name.width());
            line = padded(&line, begin) + name;
        }
        line + "\n"
    }

    fn lines(&self, what: &What) -> Vec<String> {
        match what {
            What::Call(call) if call.waited => self.says(call.host, &call.call),
            What::Call(call) => self.says(call.host, &format!("{} -> {}", call.call, answer(call))),
            What::Return(call) => {
                let name = call.call.split('(').next().unwrap_or_default();
                self.says(call.host, &format!("{name} -> {}", answer(call)))
            }
            What::State(change) => self.says(change.host, change.state),
            What::Frame(frame) => self.arrow(frame),
        }
    }

    /// Bars alone.
    fn bars(&self) -> Vec<u8> {
        let mut line = vec![b' '; WIDTH];
        (0..self.lanes.len()).for_each(|lane| line[self.at(lane)] = b'|');
        line
    }

    /// Words beside a host's lane; at the last one to its left.
    fn says(&self, host: &str, words: &str) -> Vec<String> {
        let Some(lane) = self.lane(host) else { return Vec::new() };
        let mut line = self.bars();
        let is_last = lane + 1 == self.lanes.len();
        let begin = if is_last { self.at(lane).saturating_sub(words.len() + 1) } else { self.at(lane) + 2 };
        write(&mut line, begin, words);
        vec![text(line)]
    }

    /// A packet: its words on its arrow, or above where they are too long for it.
    fn arrow(&self, frame: &Frame) -> Vec<String> {
        let Some(from) = self.lane(frame.from) else { return Vec::new() };
        let Some(to) = frame.to else { return self.arrow_to_all(from, frame) };
        let Some(to) = self.lane(to) else { return Vec::new() };
        let (left, right) = (self.at(from.min(to)) + 1, self.at(from.max(to)));
        let words = self.words(frame);
        let mut line = self.bars();
        line[left..right].fill(b'-');
        let is_rightwards = to > from;
        if frame.lost {
            // It comes half way.
            let middle = left + (right - left) * if is_rightwards { 7 } else { 3 } / 10;
            if is_rightwards {
                line[middle..right].fill(b' ')
            } else {
                line[left..middle].fill(b' ')
            }
            line[middle] = b'X';
        } else if is_rightwards {
            line[right - 1] = b'>';
        } else {
            line[left] = b'<';
        }
        let room = (right - left) * if frame.lost { 7 } else { 10 } / 10;
        if words.len() + 6 > room {
            let mut above = self.bars();
            let begin = if is_rightwards { left + 1 } else { right.saturating_sub(words.len() + 1) };
            write(&mut above, begin.max(left), &words);
            return vec![text(above), text(line)];
        }
        let begin = if is_rightwards { left + 2 } else { right.saturating_sub(words.len() + 4) };
        write(&mut line, begin, &format!(" {words} "));
        vec![text(line)]
    }

    /// A packet to a group: it passes all lanes.
    fn arrow_to_all(&self, from: usize, frame: &Frame) -> Vec<String> {
        let mut line = vec![b' '; WIDTH];
        let last = self.lanes.len() - 1;
        line[self.at(0) + 1..self.at(last)].fill(b'-');
        for lane in 0..=last {
            line[self.at(lane)] = b'|';
            if lane > from {
                line[self.at(lane) - 1] = b'>';
            } else if lane < from {
                line[self.at(lane) + 1] = b'<';
            }
        }
        let mut above = self.bars();
        let words = format!("{} -> {}", self.words(frame), frame.destination);
        let begin =
            if from == last { self.at(from).saturating_sub(words.len() + 1) } else { self.at(from) + 2 };
        write(&mut above, begin, &words);
        vec![text(above), text(line)]
    }

    fn words(&self, frame: &Frame) -> String {
        let bytes = match (&frame.text, frame.bytes) {
            (Some(text), _) => format!(" \"{text}\""),
            (None, 0) => String::new(),
            (None, bytes) => format!(" len={bytes}"),
        };
        match &frame.carries {
            Carries::Tcp(segment) => self.words_of(segment, &bytes, frame.bytes),
            Carries::Udp => format!("UDP{bytes}"),
            Carries::Igmp => "IGMP".to_owned(),
        }
    }

    fn words_of(&self, segment: &Segment, payload: &str, bytes: usize) -> String {
        let Segment { flags, .. } = segment;
        let has_ack = flags.contains("ACK");
        let (seq, ack) = match self.numbers {
            Numbers::Whole => (segment.seq, segment.ack),
            Numbers::Relative => (segment.relative_seq, segment.relative_ack),
            Numbers::None => return format!("{flags}{payload}"),
        };
        let mut words = format!("{flags} seq={seq}");
        if has_ack {
            words += &format!(" ack={ack}");
        }
        if bytes > 0 {
            words += payload;
        }
        if self.numbers == Numbers::Whole {
            segment.options.iter().for_each(|option| words += &format!(" {option}"));
        }
        segment.sack.iter().for_each(|[begin, end]| words += &format!(" sack={begin}:{end}"));
        if segment.again { words + " [retransmission]" } else { words }
    }
}

fn time(at: Ms) -> String {
    format!("{at} ms")
}

/// Words into a line, as far as it reaches.
fn write(line: &mut [u8], begin: usize, words: &str) {
    line.iter_mut().skip(begin).zip(words.bytes()).for_each(|(place, byte)| *place = byte);
}

fn text(line: Vec<u8>) -> String {
    String::from_utf8_lossy(&line).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn drawn(to: Option<&'static str>, text: &str, lost: bool) -> Vec<String> {
        let lanes = vec![("a", "A"), ("b", "나"), ("c", "C")];
        let frame = Frame {
            from: "b",
            to,
            source: String::new(),
            destination: "239.1.2.3:5".to_owned(),
            bytes: text.len(),
            text: Some(text.to_owned()),
            lost,
            carries: Carries::Udp,
        };
        let event = Event { at_ms: Ms(1500), what: What::Frame(frame) };
        Diagram::new(lanes, Numbers::None).draw(&[event]).lines().map(str::to_owned).collect()
    }

    #[test]
    fn an_arrow_leads_from_lane_to_lane() {
        assert_eq!(
            drawn(Some("a"), "x", false),
            [
                "          A                               나                                C",
                "  1.5 ms  |<-------------------- UDP \"x\" --|                                |",
            ]
        );
        assert_eq!(
            drawn(Some("c"), "x", false)[1],
            "  1.5 ms  |                                |-- UDP \"x\" -------------------->|"
        );
    }

    #[test]
    fn a_lost_packet_ends_on_its_way() {
        assert_eq!(
            drawn(Some("c"), "x", true)[1],
            "  1.5 ms  |                                |-- UDP \"x\" -----------X         |"
        );
        assert_eq!(
            drawn(Some("a"), "x", true)[1],
            "  1.5 ms  |         X----------- UDP \"x\" --|                                |"
        );
    }

    #[test]
    fn words_that_are_too_long_stand_above_and_a_group_is_all_lanes() {
        assert_eq!(
            drawn(Some("c"), "twenty-five letters or so", false)[1..],
            [
                "  1.5 ms  |                                | UDP \"twenty-five letters or so\"|",
                "          |                                |------------------------------->|",
            ]
        );
        assert_eq!(
            drawn(None, "x", false)[1..],
            [
                "  1.5 ms  |                                | UDP \"x\" -> 239.1.2.3:5         |",
                "          |<-------------------------------|------------------------------->|",
            ]
        );
    }
}
