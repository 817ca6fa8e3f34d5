//! Is a packet that the host sent the one that the script expects? Field by field, outermost header first; the first
//! difference is told.

use crate::packet::{Body, Packet, Segment, TcpOption, flag};
use crate::script::{BodySpec, PacketSpec, TcpSpec, Tos};

/// What of a packet is not compared, and how the rest is.
#[derive(Clone, Copy, Default, Debug)]
pub(super) struct Leniency {
    any_window: bool,
    any_options: bool,
    ace: bool,
    tos: Option<Tos>,
}

impl Leniency {
    pub(super) fn of(spec: &PacketSpec) -> Leniency {
        let tos = spec.ip.tos;
        match &spec.body {
            BodySpec::Tcp(TcpSpec { window, options, ace, .. }) => {
                Leniency { any_window: window.is_none(), any_options: options.is_none(), ace: *ace, tos }
            }
            BodySpec::Udp { .. } | BodySpec::Icmp(_) => Leniency { tos, ..Leniency::default() },
        }
    }
}

/// Compares the headers of a packet with what was expected.
pub(super) fn headers(actual: &Packet, script: &Packet, leniency: Leniency) -> Result<(), String> {
    let is_ip6 = script.source.is_ipv6();
    let kind = |packet: &Packet| match packet.body {
        Body::Tcp(_) => 6u8,
        Body::Udp(_) => 17,
        Body::Icmp(_) => 1,
        Body::Other(protocol) => protocol,
    };
    field(if is_ip6 { "ipv6_next_header" } else { "ipv4_protocol" }, kind(script), kind(actual))?;
    if let (Body::Tcp(actual), Body::Tcp(script)) = (&actual.body, &script.body) {
        let allowance = if leniency.any_options { actual.option_bytes() } else { 0 };
        let bytes = |segment: &Segment| segment.header_bytes() + segment.payload.len();
        let (name, ip_bytes) = if is_ip6 { ("ipv6_payload_len", 0) } else { ("ipv4_total_length", 20) };
        field(name, ip_bytes + bytes(script) + allowance, ip_bytes + bytes(actual))?;
    }
    tos(leniency.tos, actual.tos)?;
    if script.ttl != super::build::TTL_UNSAID {
        field("ttl", script.ttl, actual.ttl)?;
    }
    match (&actual.body, &script.body) {
        (Body::Tcp(actual), Body::Tcp(script)) => {
            segment_strictly(actual, script, leniency)?;
            segment(actual, script, script.seq, leniency)
        }
        (Body::Udp(actual), Body::Udp(script)) => {
            field("udp_len", 8 + script.payload.len(), 8 + actual.payload.len())
        }
        (Body::Icmp(actual), Body::Icmp(script)) => {
            field("icmp_type", script.kind, actual.kind)?;
            field("icmp_code", script.code, actual.code)
        }
        (_, _) => Ok(()),
    }
}

/// Compares a part of a large segment with the one before it: may the two be taken as one?
pub(super) fn continues(actual: &Packet, before: &Packet) -> Result<(), String> {
    let (Some(actual), Some(before)) = (actual.tcp(), before.tcp()) else {
        return Err("aggregate candidate packet is no TCP segment".to_owned());
    };
    let end = before.seq.wrapping_add(u32::try_from(before.payload.len()).unwrap_or(u32::MAX));
    segment(actual, before, end, Leniency::default())
}

/// What only a whole packet is asked: the flags that differ between the parts of a large segment.
fn segment_strictly(actual: &Segment, script: &Segment, leniency: Leniency) -> Result<(), String> {
    let mut flags = vec![("tcp_fin", flag::FIN), ("tcp_psh", flag::PSH)];
    if !leniency.ace {
        flags.push(("tcp_cwr", flag::CWR));
    }
    flags.into_iter().try_for_each(|(name, bit)| field(name, script.has(bit), actual.has(bit)))
}

fn segment(actual: &Segment, script: &Segment, seq: u32, leniency: Leniency) -> Result<(), String> {
    let allowance = if leniency.any_options { actual.option_bytes() } else { 0 };
    field("tcp_data_offset", (script.header_bytes() + allowance) / 4, actual.header_bytes() / 4)?;
    for (name, bit) in
        [("tcp_syn", flag::SYN), ("tcp_rst", flag::RST), ("tcp_ack", flag::ACK), ("tcp_urg", flag::URG)]
    {
        field(name, script.has(bit), actual.has(bit))?;
    }
    if leniency.ace {
        field("tcp_ace", flag::ace(script.flags), flag::ace(actual.flags))?;
    } else {
        field("tcp_ece", script.has(flag::ECE), actual.has(flag::ECE))?;
        field("tcp_ae", script.has(flag::AE), actual.has(flag::AE))?;
    }
    field("tcp_reserved_bits", script.flags & flag::RESERVED, actual.flags & flag::RESERVED)?;
    field("tcp_seq", seq, actual.seq)?;
    field("tcp_ack_seq", script.ack, actual.ack)?;
    if !leniency.any_window {
        field("tcp_window", script.window, actual.window)?;
    }
    field("tcp_urg_ptr", script.urgent, actual.urgent)
}

/// One field.
fn field<T>(name: &str, expected: T, actual: T) -> Result<(), String>
where
    T: PartialEq + Copy + TryInto<u64>,
{
    if expected == actual {
        return Ok(());
    }
    let number = |value: T| value.try_into().unwrap_or(u64::MAX);
    let (expected, actual) = (number(expected), number(actual));
    Err(format!(
        "live packet field {name}: expected: {expected} ({expected:#x}) vs actual: {actual} ({actual:#x})"
    ))
}

fn tos(expected: Option<Tos>, actual: u8) -> Result<(), String> {
    let ecn = actual & 3;
    match expected {
        None => Ok(()),
        Some(Tos::Ecn(bits)) => field("ip_ecn", bits, ecn),
        Some(Tos::Whole(tos)) => field("tos", tos, actual),
        Some(Tos::Ect01) if ecn == 1 || ecn == 2 => Ok(()),
        Some(Tos::Ect01) => {
            Err(format!("live packet field ip_ecn: expected: 0x1 or 0x2 vs actual: {ecn:#x}"))
        }
    }
}

/// Compares options, in their order. `tick`: microseconds of a tick of timestamps (0: not compared) and how far off
/// they may be.
pub(super) fn options(
    actual: &Segment,
    script: &Segment,
    leniency: Leniency,
    (tick_us, tolerance_us): (i64, i64),
) -> Result<(), String> {
    if leniency.any_options {
        return Ok(());
    }
    let kinds = |segment: &Segment| segment.options.iter().map(TcpOption::kind).collect::<Vec<_>>();
    if kinds(actual) != kinds(script) {
        return Err("bad outbound TCP options".to_owned());
    }
    for (actual, script) in actual.options.iter().zip(&script.options) {
        match (actual, script) {
            (TcpOption::Timestamps { value: actual, .. }, TcpOption::Timestamps { value: script, .. }) => {
                let off = i64::from(actual.wrapping_sub(*script).cast_signed()).saturating_abs();
                if tick_us != 0 && off.saturating_mul(tick_us) > tolerance_us {
                    return Err(format!("bad outbound TCP timestamp value, tolerance {tolerance_us}"));
                }
            }
            (_, _) if actual != script => {
                let what = if actual.len_bytes() == script.len_bytes() { "bad value" } else { "bad length" };
                let kind = script.kind();
                return Err(format!(
                    "{what} in outbound TCP option (kind={kind}): expected: {script} actual: {actual}"
                ));
            }
            (_, _) => {}
        }
    }
    Ok(())
}

/// Compares flow labels. The host's numbers are its own; that the same label stands for the same one is what counts.
pub(super) fn flow_label(known: &mut Option<(u32, u32)>, actual: u32, script: u32) -> Result<(), String> {
    if script == 0 {
        return Ok(());
    }
    if actual == 0 {
        return Err("flowlabel unmarked in the live packet".to_owned());
    }
    match *known {
        Some((before, live)) if before == script && live != actual => Err(format!(
            "inconsistent flowlabels for this packet: expected: {live:#x} vs actual: {actual:#x}"
        )),
        Some((before, live)) if before != script && live == actual => {
            Err("expected a different flowlabel but got the same".to_owned())
        }
        _ => {
            *known = Some((script, actual));
            Ok(())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_difference_is_told_by_its_field() {
        let sentence = "live packet field tcp_seq: expected: 1 (0x1) vs actual: 17 (0x11)";
        assert_eq!(field("tcp_seq", 1u32, 17), Err(sentence.to_owned()));
        assert_eq!(field("tcp_syn", true, true), Ok(()));
        assert_eq!(tos(Some(Tos::Ecn(2)), 0xb2), Ok(()));
        assert!(tos(Some(Tos::Ect01), 3).is_err() && tos(Some(Tos::Whole(2)), 3).is_err());
    }

    #[test]
    fn flow_labels_stand_for_each_other() {
        let mut known = None;
        assert_eq!(flow_label(&mut known, 77, 1), Ok(()));
        assert_eq!(flow_label(&mut known, 77, 1), Ok(()));
        assert!(flow_label(&mut known, 78, 1).is_err() && flow_label(&mut known, 77, 2).is_err());
        assert_eq!(flow_label(&mut known, 78, 2), Ok(()));
        assert!(flow_label(&mut known, 0, 2).is_err());
        assert_eq!(flow_label(&mut known, 0, 0), Ok(()));
    }
}
