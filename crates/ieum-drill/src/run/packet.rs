//! Packets in, which are given to the host, and packets out, which are waited for.

use std::net::SocketAddr;

use ieum_wire::Instant;

use super::flow::{Flow, Protocol, State};
use super::time::seconds;
use super::{FOR_EVER_US, Runner, build, verify};
use crate::machine::Sniffed;
use crate::packet::{self, Body, Packet, Shown, flag};
use crate::script::{BodySpec, Direction, PacketSpec, Time};
use crate::stop::Stop;

/// How long a packet is waited for beyond its time, in microseconds, before it is said that none came.
const LATE_US: i64 = 2_000_000;

impl<'a> Runner<'a> {
    /// A packet of the script.
    pub(super) fn packet(&mut self, line: u32, spec: &'a PacketSpec) -> Result<(), Stop> {
        if let Some(wrapper) = spec.wrappers.first() {
            return Err(Stop::unsupported(format!("packets in {wrapper}")));
        }
        let handled = match self.flow_of(spec) {
            Ok(flow) if spec.direction == Direction::In => {
                self.wait(line, "inbound packet")?;
                self.inbound(spec, flow).map_err(Stop::Failed)
            }
            Ok(flow) => self.outbound(spec, flow),
            Err(sentence) => Err(Stop::Failed(sentence)),
        };
        match handled {
            Err(Stop::Failed(sentence))
                if self.config.non_fatal_packet && spec.direction == Direction::Out =>
            {
                self.said.push(format!("{}:{line}: warning handling packet: {sentence}", self.path));
                Ok(())
            }
            handled => handled.map_err(|stop| {
                stop.map(|sentence| format!("{}:{line}: error handling packet: {sentence}", self.path))
            }),
        }
    }

    /// The flow that a packet of the script belongs to: the one under test, unless it begins a new one.
    fn flow_of(&mut self, spec: &PacketSpec) -> Result<usize, String> {
        let under_test = self.under_test.and_then(|flow| Some((flow, self.flows.get_mut(flow)?)));
        if let BodySpec::Tcp(tcp) = &spec.body {
            match (&under_test, spec.direction) {
                (None, Direction::In) => return Ok(self.arrival(tcp.seq)),
                (Some((_, flow)), Direction::In) if flow.state == State::Listening => {
                    return Ok(self.arrival(tcp.seq));
                }
                (_, _) => {}
            }
            if let Some((at, flow)) = under_test
                && spec.direction == Direction::Out
                && tcp.flags & (flag::SYN | flag::ACK) == flag::SYN
                && flow.state == State::Connecting
            {
                flow.state = State::SynSent;
                flow.script_local_isn = tcp.seq;
                return Ok(at);
            }
        }
        let none = || "no matching socket for script packet".to_owned();
        let at = self.under_test.ok_or_else(none)?;
        let flow = self.flows.get(at).ok_or_else(none)?;
        let (matches, foreign) = match &spec.body {
            BodySpec::Tcp(tcp) => (flow.protocol == Protocol::Tcp, tcp.ports.is_some()),
            BodySpec::Udp { ports, .. } => (flow.protocol == Protocol::Udp, ports.is_some()),
            BodySpec::Icmp(_) => (true, false),
        };
        if matches || foreign { Ok(at) } else { Err(none()) }
    }

    /// A first segment for a listening socket, or for nobody: a new flow from a port that was not used yet.
    fn arrival(&mut self, seq: u32) -> usize {
        let mut flow = Flow::new(State::Received, Protocol::Tcp);
        flow.local = Some(self.config.local());
        flow.remote = Some(SocketAddr::new(self.config.remote().ip(), self.next_port));
        flow.remote_isn = seq;
        self.next_port += 1;
        self.flows.push(flow);
        self.under_test = Some(self.flows.len() - 1);
        self.flows.len() - 1
    }

    /// Gives the host a packet.
    fn inbound(&mut self, spec: &PacketSpec, at: usize) -> Result<(), String> {
        let config = &self.config;
        let flow = self.flows.get_mut(at).ok_or("no such flow")?;
        if let BodySpec::Tcp(tcp) = &spec.body {
            let both = flag::SYN | flag::ACK;
            if flow.state == State::SynAckSent && tcp.flags & flag::ACK != 0 {
                flow.state = State::SynAckAcknowledged;
            } else if flow.state == State::SynSent && tcp.flags & both == both {
                flow.state = State::SynAcknowledged;
                flow.remote_isn = tcp.seq;
            }
        }
        if flow.protocol != Protocol::Tcp {
            // A datagram may come before any was sent.
            flow.local.get_or_insert_with(|| config.local());
            flow.remote.get_or_insert_with(|| config.remote());
        }
        let nowhere = build::nowhere(config.local().ip());
        let (local, remote) = (flow.local.unwrap_or(nowhere), flow.remote.unwrap_or(nowhere));
        let mut packet = build::packet(spec, remote, local)?;
        if let BodySpec::Icmp(icmp) = &spec.body
            && let Body::Icmp(message) = &mut packet.body
        {
            message.rest.extend(build::quote(icmp.quoted, local, remote, |seq| flow.live_local_seq(seq)));
        }
        if let Some(segment) = packet.tcp_mut() {
            flow.to_live(segment, config.ts_echo_scaled)?;
        }
        if config.verbose {
            let now = seconds(self.machine.now_us());
            self.said
                .push(format!("inbound injected packet: {now:>9} {}", packet.in_words(Shown::default())));
        }
        self.machine.inject(&packet::emit(&packet), config.mss);
        Ok(())
    }

    /// Waits for a packet and compares it.
    fn outbound(&mut self, spec: &PacketSpec, at: usize) -> Result<(), Stop> {
        let nowhere = build::nowhere(self.config.local().ip());
        let ends = |flow: &Flow| (flow.local.unwrap_or(nowhere), flow.remote.unwrap_or(nowhere));
        let (local, remote) = self.flows.get(at).map_or((nowhere, nowhere), ends);
        let mut script = build::packet(spec, local, remote).map_err(Stop::Failed)?;
        if let (BodySpec::Icmp(icmp), Body::Icmp(message)) = (&spec.body, &mut script.body) {
            message.rest.extend(build::quote(icmp.quoted, remote, local, |seq| seq));
        }
        let is_syn_ack = script.tcp().is_some_and(|tcp| tcp.has(flag::SYN) && tcp.has(flag::ACK));
        if let Some(flow) = self.flows.get_mut(at)
            && flow.state == State::Received
            && is_syn_ack
            && let Some(segment) = script.tcp()
        {
            flow.script_local_isn = segment.seq;
        }
        let shown = shown(spec);
        let started = self.machine.now();
        let mut parts: Vec<(Instant, Packet)> = Vec::new();
        let wanted = script.payload().len();
        let mut bytes = 0;
        loop {
            let (sent, packet) = match self.sniff(started, at, is_syn_ack) {
                Ok(part) => part,
                Err(stop) => return Err(stop.map(|why| self.dump(&why, &script, shown, &parts))),
            };
            bytes += packet.payload().len();
            let fits = match parts.last() {
                Some((_, before)) => self.part_fits(&packet, before, bytes, wanted),
                None => Ok(()),
            };
            parts.push((sent, packet));
            fits.map_err(|why| Stop::Failed(self.dump(&why, &script, shown, &parts)))?;
            if bytes >= wanted || self.config.strict_segments || script.tcp().is_none() {
                break;
            }
        }
        let verdict = if bytes == wanted {
            self.compare(spec, at, &script, &mut parts)
        } else {
            Err(format!("live packet payload: expected {wanted} bytes vs actual {bytes} bytes"))
        };
        verdict.map_err(|why| Stop::Failed(self.dump(&why, &script, shown, &parts)))
    }

    /// May this part stand behind the one before it in one large segment?
    fn part_fits(&self, part: &Packet, before: &Packet, bytes: usize, wanted: usize) -> Result<(), String> {
        verify::continues(part, before)?;
        let (size, before) = (part.payload().len(), before.payload().len());
        if bytes < wanted && size != before {
            return Err(format!(
                "fragment payload: expected {before} bytes vs actual {size} bytes; total payload: expected {wanted} \
                 bytes vs actual {bytes} bytes"
            ));
        }
        Ok(())
    }

    /// The next packet of the flow; those of others are passed over. Sequence numbers are the script's.
    fn sniff(&mut self, started: Instant, at: usize, is_syn_ack: bool) -> Result<(Instant, Packet), Stop> {
        loop {
            let Sniffed { at: sent, bytes } = self.next_packet(started)?;
            let mut packet = packet::parse(&bytes).map_err(Stop::failed)?;
            let Some(flow) = self.flows.get_mut(at) else { return Err(Stop::failed("no such flow")) };
            if !flow.claims(&packet) {
                continue;
            }
            if flow.state == State::Received && is_syn_ack {
                flow.state = State::SynAckSent;
                flow.local_isn = packet.tcp().map_or(0, |segment| segment.seq);
            }
            if self.config.verbose {
                let (when, words) =
                    (seconds(self.machine.since_start_us(sent)), packet.in_words(Shown::default()));
                self.said.push(format!("outbound sniffed packet: {when:>9} {words}"));
            }
            if let Some(segment) = packet.tcp_mut() {
                flow.to_script(segment);
            }
            return Ok((sent, packet));
        }
    }

    /// The next packet of the host, whomever it is for. Time passes until there is one.
    fn next_packet(&mut self, started: Instant) -> Result<Sniffed, Stop> {
        let last_us = self.last.map_or(0, |(last_us, _)| last_us);
        let patience_us = match self.moment.time {
            Time::Any => FOR_EVER_US,
            Time::Absolute(_) | Time::Relative(_) | Time::AbsoluteRange(..) | Time::RelativeRange(..) => {
                (self.moment.end_us - last_us) / 1_000_000 * 1_000_000 + LATE_US
            }
        };
        let until = self.machine.at_us(self.machine.since_start_us(started) + patience_us);
        self.advance_while(until, |runner| runner.machine.sniffed.is_empty())?;
        self.machine.sniffed.pop_front().ok_or_else(|| Stop::failed("Timed out waiting for packet"))
    }

    /// Compares what was sent, its parts joined, with what was expected.
    fn compare(
        &mut self,
        spec: &PacketSpec,
        at: usize,
        script: &Packet,
        parts: &mut Vec<(Instant, Packet)>,
    ) -> Result<(), String> {
        join(parts);
        let Some(((sent, actual), flow)) = parts.first_mut().zip(self.flows.get_mut(at)) else {
            return Err("there is no packet".to_owned());
        };
        if let (Some(actual), Some(script)) = (actual.tcp_mut(), script.tcp()) {
            flow.learn_stamps(actual, script);
        }
        let leniency = verify::Leniency::of(spec);
        verify::headers(actual, script, leniency)?;
        if actual.source.is_ipv6() {
            verify::flow_label(&mut flow.flow_label, actual.flow_label, script.flow_label)?;
        }
        if let (Some(actual), Some(script)) = (actual.tcp(), script.tcp()) {
            let tolerance = self.config.tolerance_us(Some(self.moment.start_us));
            verify::options(actual, script, leniency, (self.config.ts_tick_us, tolerance))?;
        }
        if !matches!(actual.body, Body::Icmp(_)) && actual.payload() != script.payload() {
            return Err("incorrect outbound data payload".to_owned());
        }
        let since = self.last.map(|(last_us, _)| self.moment.start_us - last_us);
        let sent_us = self.machine.since_start_us(*sent);
        self.moment.verify(&self.config, sent_us, since, "outbound packet")
    }

    /// A report: what is wrong, what the script has, and what was seen.
    fn dump(&self, why: &str, script: &Packet, shown: Shown, parts: &[(Instant, Packet)]) -> String {
        let mut text = why.to_owned();
        let at = seconds(self.moment.start_us);
        text += &format!("\nscript packet: {at:>9} {}", script.in_words(shown));
        for (number, (sent, packet)) in parts.iter().enumerate() {
            let at = seconds(self.machine.since_start_us(*sent));
            let number = if parts.len() > 1 { format!(" #{number}") } else { String::new() };
            let shown = Shown { hides_window: false, ..shown };
            text += &format!("\nactual{number} packet: {at:>9} {}", packet.in_words(shown));
        }
        text
    }
}

/// What a script leaves open is not shown of its packet.
fn shown(spec: &PacketSpec) -> Shown {
    match &spec.body {
        BodySpec::Tcp(tcp) => Shown { hides_window: tcp.window.is_none(), ace: tcp.ace },
        BodySpec::Udp { .. } | BodySpec::Icmp(_) => Shown::default(),
    }
}

/// Makes one segment of its parts: the last one's header, with the sequence number and CWR of the first; it was sent
/// when the last one was.
fn join(parts: &mut Vec<(Instant, Packet)>) {
    let Some((sent, mut whole)) = parts.pop() else { return };
    if let Some(segment) = whole.tcp_mut() {
        let mut payload = Vec::new();
        for (at, (_, part)) in parts.iter().enumerate() {
            let Some(part) = part.tcp() else { continue };
            payload.extend(&part.payload);
            if at == 0 {
                segment.seq = part.seq;
                segment.flags = segment.flags & !flag::CWR | part.flags & flag::CWR;
            }
        }
        payload.append(&mut segment.payload);
        segment.payload = payload;
    }
    *parts = vec![(sent, whole)];
}
