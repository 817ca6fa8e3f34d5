//! What the values of sysctls mean: each function takes one as it is written, and says `None` to what is none.

use std::time::Duration;

use ieum_socket::numbers::{IPPROTO_TCP, TCP_CONGESTION};
use ieum_stack::{
    CongestionName, EcnMode, EcnOption, FastOpenKey, FastOpenKeys, FastOpenMode, MtuProbing, SynCookies,
    TcpSettings, TimeWaitReuse,
};

use super::Settings;

pub(super) fn timestamps(settings: &mut Settings, value: &str) -> Option<()> {
    settings.tcp_timestamps = match value {
        "0" => false,
        "1" | "2" => true,
        _ => return None,
    };
    Some(())
}

pub(super) fn ecn(settings: &mut Settings, value: &str) -> Option<()> {
    settings.tcp_ecn.mode = match value {
        "0" => EcnMode::Off,
        "1" => EcnMode::Offer,
        "2" => EcnMode::Accept,
        "3" => EcnMode::OfferAccurate,
        "4" => EcnMode::AcceptAccurateOfferClassic,
        "5" => EcnMode::AcceptAccurate,
        _ => return None,
    };
    Some(())
}

pub(super) fn ecn_option(settings: &mut Settings, value: &str) -> Option<()> {
    settings.tcp_ecn.option = match value {
        "0" => EcnOption::Never,
        "1" => EcnOption::WhenNeeded,
        "2" => EcnOption::Always,
        "3" => EcnOption::Persistently,
        _ => return None,
    };
    Some(())
}

/// 3 and 4 mean probes, and no more; anything else none.
pub(super) fn tail_probes(settings: &mut Settings, value: &str) -> Option<()> {
    let level: u8 = value.parse().ok()?;
    settings.tcp_defaults.tuning.tail_probes = level >= 3;
    Some(())
}

pub(super) fn doubts_timeouts(settings: &mut Settings, value: &str) -> Option<()> {
    let level: u8 = value.parse().ok()?;
    settings.tcp_defaults.tuning.doubts_timeouts = level != 0;
    Some(())
}

/// Bits: 1 means RACK, which is always there; 2 a fixed reordering window, 4 no counting of duplicates.
pub(super) fn recovery(settings: &mut Settings, value: &str) -> Option<()> {
    let digits = value.trim_start_matches("0x");
    let bits = u32::from_str_radix(digits, if digits.len() < value.len() { 16 } else { 10 }).ok()?;
    settings.tcp_defaults.tuning.fixed_reordering_window = bits & 2 != 0;
    settings.tcp_defaults.tuning.only_time_tells = bits & 4 != 0;
    Some(())
}

pub(super) fn restarts_after_idle(settings: &mut Settings, value: &str) -> Option<()> {
    settings.tcp_defaults.tuning.restarts_after_idle = value != "0";
    Some(())
}

/// Linux reads -1 and 4294967295 alike.
pub(super) fn unsent_max(settings: &mut Settings, value: &str) -> Option<()> {
    settings.tcp_defaults.unsent_max_bytes = if value == "-1" { u32::MAX } else { value.parse().ok()? };
    Some(())
}

/// The middle one of three sizes is what sockets begin with, the last how far it grows.
pub(super) fn send_buffer(settings: &mut Settings, value: &str) -> Option<()> {
    let (first, largest) = first_and_largest(value)?;
    settings.tcp_defaults.send_buffer_bytes = first;
    settings.tcp_defaults.send_buffer_bytes_max = largest;
    Some(())
}

/// Bits, in decimal or hexadecimal.
pub(super) fn fast_open(settings: &mut Settings, value: &str) -> Option<()> {
    let bits = match value.strip_prefix("0x") {
        Some(digits) => u32::from_str_radix(digits, 16),
        None => value.parse(),
    };
    settings.tcp_rules.fast_open = FastOpenMode::from_bits(bits.ok()?);
    Some(())
}

/// One key or two, each of four numbers.
pub(super) fn fast_open_keys(settings: &mut Settings, value: &str) -> Option<()> {
    let key = |text: &str| -> Option<FastOpenKey> {
        let words: Option<Vec<[u8; 4]>> =
            text.split('-').map(|word| u32::from_str_radix(word, 16).ok().map(u32::to_le_bytes)).collect();
        words?.concat().try_into().ok()
    };
    let (first, second) =
        value.split_once(',').map_or((value, None), |(first, second)| (first, Some(second)));
    let backup = match second {
        Some(text) => Some(key(text)?),
        None => None,
    };
    settings.tcp_rules.fast_open_keys = Some(FastOpenKeys { primary: key(first)?, backup });
    Some(())
}

/// What every new socket is told by TCP_CONGESTION.
pub(super) fn congestion(settings: &mut Settings, value: &str) -> Option<()> {
    CongestionName::ALL.iter().find(|name| name.as_str() == value)?;
    settings.default_of_sockets(IPPROTO_TCP, TCP_CONGESTION, value.as_bytes().to_vec());
    Some(())
}

/// Three sizes in bytes of memory, half of which is window: the first buffer, and how far it grows; from the largest follows
/// the window scale.
pub(super) fn recv_buffer(settings: &mut Settings, value: &str) -> Option<()> {
    let (first, largest) = first_and_largest(value)?;
    settings.tcp_defaults.recv_buffer_bytes = first / 2;
    settings.tcp_defaults.recv_buffer_bytes_max = largest / 2;
    settings.tcp_defaults.first_window_bytes = first / 2;
    settings.tcp_defaults.scaled_window_bytes = largest;
    Some(())
}

/// A buffer that does not grow is no larger at most than at first.
pub(super) fn moderate(settings: &mut Settings, value: &str) -> Option<()> {
    match value {
        "0" => settings.tcp_defaults.recv_buffer_bytes_max = 0,
        "1" => {}
        _ => return None,
    }
    Some(())
}

pub(super) fn mtu_probing(settings: &mut Settings, value: &str) -> Option<()> {
    settings.tcp_defaults.mtu_probing = match value {
        "0" => MtuProbing::Never,
        "1" => MtuProbing::AfterBlackHole,
        "2" => MtuProbing::Always,
        _ => return None,
    };
    Some(())
}

/// 1 means not to discover; 2 and 3 are about what is done with routers' errors beside.
pub(super) fn no_path_mtu(settings: &mut Settings, value: &str) -> Option<()> {
    settings.tcp_defaults.discovers_path_mtu = match value {
        "0" => true,
        "1" => false,
        _ => return None,
    };
    Some(())
}

pub(super) fn fin_timeout(settings: &mut Settings, value: &str) -> Option<()> {
    settings.tcp_defaults.fin_timeout = Some(Duration::from_secs(value.parse().ok()?));
    Some(())
}

/// 0 stands for 8, as on Linux.
pub(super) fn orphan_retries(settings: &mut Settings, value: &str) -> Option<()> {
    let asked = value.parse().ok()?;
    settings.tcp_defaults.orphan_retries =
        if asked == 0 { TcpSettings::default().orphan_retries } else { asked };
    Some(())
}

pub(super) fn syn_cookies(settings: &mut Settings, value: &str) -> Option<()> {
    settings.tcp_rules.syn_cookies = match value {
        "0" => SynCookies::Never,
        "1" => SynCookies::WhenFull,
        "2" => SynCookies::Always,
        _ => return None,
    };
    Some(())
}

pub(super) fn time_wait_reuse(settings: &mut Settings, value: &str) -> Option<()> {
    settings.tcp_rules.time_wait_reuse = match value {
        "0" => TimeWaitReuse::Never,
        "1" => TimeWaitReuse::Always,
        "2" => TimeWaitReuse::Loopback,
        _ => return None,
    };
    Some(())
}

pub(super) fn milliseconds(place: &mut Duration, value: &str) -> Option<()> {
    *place = Duration::from_millis(value.parse().ok()?);
    Some(())
}

pub(super) fn flag(place: &mut bool, value: &str) -> Option<()> {
    *place = match value {
        "0" => false,
        "1" => true,
        _ => return None,
    };
    Some(())
}

/// Of the three sizes of a buffer.
fn first_and_largest(value: &str) -> Option<(u32, u32)> {
    let mut sizes = value.split(' ').skip(1);
    let mut size = || sizes.next()?.parse().ok();
    Some((size()?, size()?))
}

pub(super) fn number<N: std::str::FromStr>(place: &mut N, value: &str) -> Option<()> {
    *place = value.parse().ok()?;
    Some(())
}

pub(super) fn socket(settings: &mut Settings, name: i32, value: &str) -> Option<()> {
    settings.default_of_sockets(IPPROTO_TCP, name, value.parse::<i32>().ok()?.to_ne_bytes().to_vec());
    Some(())
}
