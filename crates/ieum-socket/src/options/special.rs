//! Options with a form of their own: structures, times, names.

use std::time::Duration;

use ieum_stack::{CongestionName, FastOpenKeys};

use super::numbers::*;
use super::{Options, SocketOption, known};
use crate::make::{Domain, Protocol};
use crate::{Errno, Kind, Make};

/// SO_LINGER, as stored.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub(super) struct Linger {
    pub(super) on: bool,
    pub(super) seconds: i32,
}

/// SO_RCVTIMEO and SO_SNDTIMEO; `None` means for ever. They are for whoever blocks: nothing here does.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub(super) struct Times {
    pub(super) recv: Option<Duration>,
    pub(super) send: Option<Duration>,
}

impl Options {
    /// Sets an option with a form of its own; `None` when it is none of those.
    pub(super) fn set_special(
        &mut self,
        make: Make,
        level: i32,
        name: i32,
        value: &[u8],
    ) -> Option<Result<(), Errno>> {
        if level == IPPROTO_IPV6 && name == IPV6_PKTINFO && make.domain == Domain::Ip6 {
            return Some(self.set_sticky_interface(value));
        }
        if level == IPPROTO_IPV6 {
            return special_of_ip6(make, name, value);
        }
        Some(match (level, name, make.kind()) {
            (SOL_SOCKET, SO_LINGER, _) => self.set_linger(value),
            (SOL_SOCKET, SO_RCVTIMEO | SO_RCVTIMEO_NEW, _) => store_time(&mut self.times.recv, value),
            (SOL_SOCKET, SO_SNDTIMEO | SO_SNDTIMEO_NEW, _) => store_time(&mut self.times.send, value),
            (SOL_SOCKET, SO_TIMESTAMPING | SO_TIMESTAMPING_NEW, _) => {
                stamping_of(value).map(|flags| self.stamping = flags)
            }
            (SOL_SOCKET, SO_MAX_PACING_RATE, _) => self.set_pacing_rate_max(value),
            (IPPROTO_TCP, TCP_CONGESTION, Kind::Stream) if value.is_empty() => Err(Errno::EINVAL),
            (IPPROTO_TCP, TCP_CONGESTION, Kind::Stream) => self.set_congestion(value),
            (IPPROTO_TCP, TCP_ULP, Kind::Stream) if value.is_empty() => Err(Errno::EINVAL),
            (IPPROTO_TCP, TCP_ULP, Kind::Stream) => Err(Errno::ENOENT),
            (IPPROTO_TCP, TCP_FASTOPEN_KEY, Kind::Stream) => self.set_fast_open_keys(value),
            // No packet carries options; to have none is what can be asked for.
            (IPPROTO_IP, IP_OPTIONS, _) if value.is_empty() => Ok(()),
            (IPPROTO_IP, IP_OPTIONS, _) => Err(Errno::EINVAL),
            // Of this one Linux wants no more and no less.
            (IPPROTO_IP, IP_LOCAL_PORT_RANGE, _) if value.len() != 4 => Err(Errno::EINVAL),
            (IPPROTO_IP, IP_MULTICAST_IF, Kind::Stream) => Err(Errno::EINVAL),
            (IPPROTO_IP, IP_ADD_MEMBERSHIP | IP_DROP_MEMBERSHIP, Kind::Stream) => Err(Errno::EPROTO),
            (_, _, _) => return None,
        })
    }

    /// The options of timestamps are one setting: who asks for one gives up the others, who gives up one gives up all. The new
    /// form of the coarse one reads as set with that of the fine one, as on Linux.
    pub(super) fn choose_stamp(&mut self, chosen: SocketOption, wanted: bool) {
        if !known::STAMPS.contains(&chosen) {
            return;
        }
        for other in known::STAMPS {
            let both = wanted && chosen == known::FINE_NEW && other == known::COARSE_NEW;
            self.store(other, i32::from(wanted && other == chosen || both));
        }
    }

    /// SO_LINGER as getsockopt(2) writes it.
    pub(super) fn linger_bytes(&self) -> Vec<u8> {
        [i32::from(self.linger.on), self.linger.seconds].map(i32::to_ne_bytes).concat()
    }

    /// SO_LINGER with a time: how long closing waits. The seconds are without a sign, as Linux has them.
    pub(crate) fn linger_time(&self) -> Option<Duration> {
        let seconds = self.linger.seconds.cast_unsigned();
        (self.linger.on && seconds > 0).then(|| Duration::from_secs(seconds.into()))
    }

    /// SO_RCVTIMEO: how long a call waits for what comes, if not for ever.
    pub(crate) fn recv_time(&self) -> Option<Duration> {
        self.times.recv
    }

    /// SO_SNDTIMEO: how long a call waits for room, if not for ever.
    pub(crate) fn send_time(&self) -> Option<Duration> {
        self.times.send
    }

    /// SO_RCVTIMEO as getsockopt(2) writes it.
    pub(super) fn recv_time_bytes(&self) -> Vec<u8> {
        time_bytes(self.times.recv)
    }

    /// SO_SNDTIMEO as getsockopt(2) writes it.
    pub(super) fn send_time_bytes(&self) -> Vec<u8> {
        time_bytes(self.times.send)
    }

    /// TCP_CONGESTION as getsockopt(2) writes it: 16 bytes (TCP_CA_NAME_MAX).
    pub(super) fn congestion_bytes(&self, default: CongestionName) -> Vec<u8> {
        let mut bytes = self.congestion.unwrap_or(default).as_str().as_bytes().to_vec();
        bytes.resize(16, 0);
        bytes
    }

    /// SO_MAX_PACING_RATE as getsockopt(2) writes it: 8 bytes for who has room for them, else 4.
    pub(super) fn pacing_rate_max_bytes(&self) -> Vec<u8> {
        self.pacing_rate_max.unwrap_or(u64::MAX).to_ne_bytes().to_vec()
    }

    /// Bytes a second, in 8 bytes or in 4; all ones are no bound.
    fn set_pacing_rate_max(&mut self, value: &[u8]) -> Result<(), Errno> {
        let rate = match (value.first_chunk(), value.first_chunk()) {
            (Some(bytes), _) if value.len() == 8 => u64::from_ne_bytes(*bytes),
            (_, Some(bytes)) => match u32::from_ne_bytes(*bytes) {
                u32::MAX => u64::MAX,
                rate => rate.into(),
            },
            (_, None) => return Err(Errno::EINVAL),
        };
        self.pacing_rate_max = (rate != u64::MAX).then_some(rate);
        Ok(())
    }

    fn set_congestion(&mut self, value: &[u8]) -> Result<(), Errno> {
        let name = name_in(value);
        let found = CongestionName::ALL.into_iter().find(|known| known.as_str().as_bytes() == name);
        self.congestion = Some(found.ok_or(Errno::ENOENT)?);
        Ok(())
    }

    /// TCP_FASTOPEN_KEY as getsockopt(2) writes it, where the socket has keys of its own.
    pub(super) fn fast_open_key_bytes(&self) -> Option<Vec<u8>> {
        self.fast_open_keys.map(key_bytes)
    }

    /// TCP_FASTOPEN_KEY: the key in use, and perhaps the one before it.
    fn set_fast_open_keys(&mut self, value: &[u8]) -> Result<(), Errno> {
        let (keys, rest) = value.as_chunks::<16>();
        let (Some(primary), true, 0) = (keys.first(), keys.len() <= 2, rest.len()) else {
            return Err(Errno::EINVAL);
        };
        self.fast_open_keys = Some(FastOpenKeys { primary: *primary, backup: keys.get(1).copied() });
        Ok(())
    }

    /// IPV6_PKTINFO: `struct in6_pktinfo`. Linux looks for no interface of that number before something is sent, and the address
    /// chooses no source.
    fn set_sticky_interface(&mut self, value: &[u8]) -> Result<(), Errno> {
        let index = i32_at(value, 16).ok_or(Errno::EINVAL)?.cast_unsigned();
        self.sticky_interface = index;
        Ok(())
    }

    fn set_linger(&mut self, value: &[u8]) -> Result<(), Errno> {
        let on = i32_at(value, 0).ok_or(Errno::EINVAL)? != 0;
        let seconds = i32_at(value, 4).ok_or(Errno::EINVAL)?;
        // Without the switch Linux keeps the seconds it had.
        self.linger = Linger { on, seconds: if on { seconds } else { self.linger.seconds } };
        Ok(())
    }
}

/// The flags in a value of SO_TIMESTAMPING: a number, or one with that of a device's clock behind it.
pub(crate) fn stamping_of(value: &[u8]) -> Result<u32, Errno> {
    let flags = i32_at(value, 0).ok_or(Errno::EINVAL)?.cast_unsigned();
    if flags & !SOF_TIMESTAMPING_MASK == 0 { Ok(flags) } else { Err(Errno::EINVAL) }
}

/// Keys as TCP_FASTOPEN_KEY has them.
pub(super) fn key_bytes(keys: FastOpenKeys) -> Vec<u8> {
    std::iter::once(keys.primary).chain(keys.backup).flatten().collect()
}

/// A name ends with the first zero, or with the value.
fn name_in(value: &[u8]) -> &[u8] {
    value.split(|byte| *byte == 0).next().unwrap_or_default()
}

fn store_time(time: &mut Option<Duration>, value: &[u8]) -> Result<(), Errno> {
    let seconds = i64_at(value, 0).ok_or(Errno::EINVAL)?;
    let microseconds = i64_at(value, 8).ok_or(Errno::EINVAL)?;
    let microseconds = u64::try_from(microseconds).ok().filter(|us| *us < 1_000_000).ok_or(Errno::EDOM)?;
    *time = match u64::try_from(seconds) {
        // Who asks for less than nothing does not wait at all, and reads back the same as who waits for ever.
        Err(_) => Some(Duration::ZERO),
        Ok(0) if microseconds == 0 => None,
        // More than Linux can count is for ever.
        Ok(seconds) if seconds >= u64::MAX / 2 / TICKS_PER_SECOND - 1 => None,
        Ok(seconds) => {
            let ticks = microseconds.div_ceil(TICK_US);
            Some(Duration::from_secs(seconds) + Duration::from_micros(ticks * TICK_US))
        }
    };
    Ok(())
}

/// The ticks of Linux's usual 250 Hz, in which it counts such times, rounded up.
const TICKS_PER_SECOND: u64 = 250;
const TICK_US: u64 = 1_000_000 / TICKS_PER_SECOND;

/// `struct timeval`.
fn time_bytes(time: Option<Duration>) -> Vec<u8> {
    let time = time.unwrap_or_default();
    let seconds = i64::try_from(time.as_secs()).unwrap_or(i64::MAX);
    [seconds, time.subsec_micros().into()].map(i64::to_ne_bytes).concat()
}

/// Options of IPv6 with a form of their own.
fn special_of_ip6(make: Make, name: i32, value: &[u8]) -> Option<Result<(), Errno>> {
    if make.domain != Domain::Ip6 {
        return None;
    }
    Some(match name {
        // Whatever is given for it.
        IPV6_MULTICAST_HOPS | IPV6_MULTICAST_IF if make.kind() == Kind::Stream => Err(Errno::ENOPROTOOPT),
        // No packet carries extension headers; to have none is what can be asked for.
        IPV6_HOPOPTS | IPV6_RTHDRDSTOPTS | IPV6_RTHDR | IPV6_DSTOPTS if value.is_empty() => Ok(()),
        IPV6_HOPOPTS | IPV6_RTHDRDSTOPTS | IPV6_RTHDR | IPV6_DSTOPTS | IPV6_FLOWLABEL_MGR => {
            Err(Errno::EINVAL)
        }
        IPV6_ADD_MEMBERSHIP | IPV6_DROP_MEMBERSHIP if value.len() < GROUP_REQUEST_BYTES => Err(Errno::EINVAL),
        IPV6_ADD_MEMBERSHIP | IPV6_DROP_MEMBERSHIP => Err(Errno::EPROTO),
        IPV6_JOIN_ANYCAST | IPV6_LEAVE_ANYCAST if value.len() < GROUP_REQUEST_BYTES => Err(Errno::EINVAL),
        IPV6_JOIN_ANYCAST => Err(Errno::EPERM),
        IPV6_LEAVE_ANYCAST => Err(Errno::ENOENT),
        // A socket stays what it was made for.
        IPV6_ADDRFORM => Err(match i32_at(value, 0) {
            Some(2) if make.protocol == Protocol::Icmp => Errno::ENOPROTOOPT,
            Some(2) => Errno::ENOTCONN,
            Some(_) | None => Errno::EINVAL,
        }),
        _ => return None,
    })
}

/// `struct ipv6_mreq`: an address, and the number of an interface.
const GROUP_REQUEST_BYTES: usize = 20;

fn i32_at(value: &[u8], at: usize) -> Option<i32> {
    value.get(at..)?.first_chunk().map(|bytes| i32::from_ne_bytes(*bytes))
}

fn i64_at(value: &[u8], at: usize) -> Option<i64> {
    value.get(at..)?.first_chunk().map(|bytes| i64::from_ne_bytes(*bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    const TCP: Make = Make { domain: Domain::Ip4, protocol: Protocol::Tcp };

    #[test]
    fn times_are_read_back_in_ticks() {
        let mut options = Options::default();
        let time = |seconds: i64, microseconds: i64| [seconds, microseconds].map(i64::to_ne_bytes).concat();
        let mut set = |value: &[u8]| {
            options.set(TCP, SOL_SOCKET, SO_RCVTIMEO, value)?;
            Ok(options.recv_time_bytes())
        };
        assert_eq!(set(&time(1, 500_000)), Ok(time(1, 500_000)));
        assert_eq!(set(&time(0, 3)), Ok(time(0, 4000)));
        assert_eq!(set(&time(0, 999_999)), Ok(time(1, 0)));
        assert_eq!(set(&time(-1, 0)), Ok(time(0, 0)));
        assert_eq!(set(&time(0, 1_000_000)), Err(Errno::EDOM));
        assert_eq!(set(&time(i64::MAX, 0)), Ok(time(0, 0)));
        assert_eq!(set(&[0; 8]), Err(Errno::EINVAL));
    }

    #[test]
    fn a_time_below_zero_is_none_to_wait_and_zero_is_for_ever() {
        let mut options = Options::default();
        let mut set = |seconds: i64| {
            let value = [seconds, 0].map(i64::to_ne_bytes).concat();
            options.set(TCP, SOL_SOCKET, SO_SNDTIMEO, &value)?;
            Ok::<_, Errno>(options.send_time())
        };
        assert_eq!(set(-1), Ok(Some(Duration::ZERO)));
        assert_eq!(set(2), Ok(Some(Duration::from_secs(2))));
        assert_eq!(set(0), Ok(None));
        assert_eq!(set(i64::MAX), Ok(None));
    }

    #[test]
    fn a_rate_is_bounded_in_four_bytes_or_in_eight() {
        let mut options = Options::default();
        let mut set = |value: &[u8]| {
            options.set(TCP, SOL_SOCKET, SO_MAX_PACING_RATE, value)?;
            Ok(options.pacing_rate_max)
        };
        assert_eq!(set(&1_000_000_u32.to_ne_bytes()), Ok(Some(1_000_000)));
        assert_eq!(set(&(1_u64 << 40).to_ne_bytes()), Ok(Some(1 << 40)));
        assert_eq!(set(&u32::MAX.to_ne_bytes()), Ok(None));
        assert_eq!(set(&u64::MAX.to_ne_bytes()), Ok(None));
        assert_eq!(set(&[0; 3]), Err(Errno::EINVAL));
    }

    #[test]
    fn names_that_do_not_exist_are_refused() {
        let mut options = Options::default();
        let mut set = |level, name, value: &[u8]| options.set(TCP, level, name, value);
        assert_eq!(set(IPPROTO_TCP, TCP_CONGESTION, b"reno"), Ok(()));
        assert_eq!(set(IPPROTO_TCP, TCP_CONGESTION, b"cubic\0\0"), Ok(()));
        assert_eq!(set(IPPROTO_TCP, TCP_CONGESTION, b"bbr"), Ok(()));
        assert_eq!(set(IPPROTO_TCP, TCP_CONGESTION, b"vegas"), Err(Errno::ENOENT));
        assert_eq!(set(IPPROTO_IP, IP_ADD_MEMBERSHIP, &[224, 0, 0, 5, 0, 0, 0, 0]), Err(Errno::EPROTO));
    }
}
