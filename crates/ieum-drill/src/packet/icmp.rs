//! The names that scripts have for ICMP's types and codes (RFC 792, RFC 4443).

/// A name and its number.
type Names = &'static [(&'static str, u8)];

const TYPES4: Names = &[
    ("echo_reply", 0),
    ("unreachable", 3),
    ("source_quench", 4),
    ("redirect", 5),
    ("echo_request", 8),
    ("time_exceeded", 11),
    ("parameter_problem", 12),
    ("timestamp_request", 13),
    ("timestamp_reply", 14),
    ("information_request", 15),
    ("information_reply", 16),
    ("address_mask_request", 17),
    ("address_mask_reply", 18),
];

const UNREACHABLE4: Names = &[
    ("net_unreachable", 0),
    ("host_unreachable", 1),
    ("protocol_unreachable", 2),
    ("port_unreachable", 3),
    ("frag_needed", 4),
    ("source_route_failed", 5),
    ("net_unknown", 6),
    ("host_unknown", 7),
    ("source_host_isolated", 8),
    ("net_prohibited", 9),
    ("host_prohibited", 10),
    ("net_unreachable_for_tos", 11),
    ("host_unreachable_for_tos", 12),
    ("packet_filtered", 13),
    ("precedence_violation", 14),
    ("precedence_cutoff", 15),
];

const TYPES6: Names = &[
    ("unreachable", 1),
    ("packet_too_big", 2),
    ("time_exceeded", 3),
    ("parameter_problem", 4),
    ("echo_request", 128),
    ("echo_reply", 129),
];

const UNREACHABLE6: Names = &[
    ("net_unreachable", 0),
    ("no_route", 0),
    ("admin_prohibited", 1),
    ("not_neighbour", 2),
    ("address_unreachable", 3),
    ("port_unreachable", 4),
];

const EXCEEDED6: Names = &[("exceeded_hop_limit", 0), ("exceeded_frag_time", 1)];
const PROBLEM6: Names = &[("header_field", 0), ("unknown_next_header", 1), ("unknown_option", 2)];

/// The numbers of a type and a code, which may also be written `type_3` and `code_4`; no code is code 0.
pub(crate) fn type_and_code(is_ip6: bool, kind: &str, code: Option<&str>) -> Result<(u8, u8), String> {
    let kinds = if is_ip6 { TYPES6 } else { TYPES4 };
    let number = number_of("type_", kind, kinds).ok_or_else(|| format!("bad ICMP type {kind}"))?;
    let codes: Names = match (is_ip6, number) {
        (false, 3) => UNREACHABLE4,
        (true, 1) => UNREACHABLE6,
        (true, 3) => EXCEEDED6,
        (true, 4) => PROBLEM6,
        (_, _) => &[],
    };
    let Some(code) = code else { return Ok((number, 0)) };
    let code = number_of("code_", code, codes).ok_or_else(|| format!("bad ICMP code {code}"))?;
    Ok((number, code))
}

fn number_of(prefix: &str, name: &str, names: Names) -> Option<u8> {
    if let Some(number) = name.strip_prefix(prefix) {
        return number.parse().ok();
    }
    names.iter().find(|(other, _)| *other == name).map(|(_, number)| *number)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_differ_between_the_families() {
        assert_eq!(type_and_code(false, "unreachable", Some("frag_needed")), Ok((3, 4)));
        assert_eq!(type_and_code(true, "unreachable", Some("port_unreachable")), Ok((1, 4)));
        assert_eq!(type_and_code(true, "packet_too_big", None), Ok((2, 0)));
        assert_eq!(type_and_code(false, "type_40", Some("code_7")), Ok((40, 7)));
        assert_eq!(
            type_and_code(false, "packet_too_big", None),
            Err("bad ICMP type packet_too_big".to_owned())
        );
        assert_eq!(type_and_code(false, "unreachable", Some("x")), Err("bad ICMP code x".to_owned()));
    }
}
