//! Numbers of the headers that are more than numbers.

/// The protocol inside an IP packet (IANA protocol numbers).
#[derive(Clone, Copy, PartialEq, Eq, Debug, Hash)]
pub enum Protocol {
    /// ICMP for IPv4, 1.
    Icmp4,
    /// TCP, 6.
    Tcp,
    /// UDP, 17.
    Udp,
    /// ICMP for IPv6, 58.
    Icmp6,
    /// Any other, by its number.
    Other(u8),
}

impl Protocol {
    /// The number in the IP header.
    pub const fn number(self) -> u8 {
        match self {
            Protocol::Icmp4 => 1,
            Protocol::Tcp => 6,
            Protocol::Udp => 17,
            Protocol::Icmp6 => 58,
            Protocol::Other(number) => number,
        }
    }
}

impl From<u8> for Protocol {
    fn from(number: u8) -> Protocol {
        match number {
            1 => Protocol::Icmp4,
            6 => Protocol::Tcp,
            17 => Protocol::Udp,
            58 => Protocol::Icmp6,
            other => Protocol::Other(other),
        }
    }
}

/// The largest payload of one TCP segment, in bytes, options not counted (RFC 9293 §3.7.1, RFC 6691).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Mss(u16);

impl Mss {
    /// What a peer that sends no MSS option is taken to accept (RFC 9293 §3.7.1, MUST-15).
    pub const DEFAULT_IP4: Mss = Mss(536);
    /// The same over IPv6.
    pub const DEFAULT_IP6: Mss = Mss(1220);
    /// The smallest MSS obeyed; a peer that asks for less would make us send headers almost alone.
    /// Linux has the same floor (TCP_MIN_SND_MSS).
    pub const FLOOR: Mss = Mss(48);

    /// An MSS as a peer announces it, raised to [`Mss::FLOOR`].
    pub fn announced(bytes: u16) -> Mss {
        Mss(bytes.max(Mss::FLOOR.0))
    }

    /// What fits into a link's MTU below IPv4 and TCP headers without options.
    pub fn of_mtu_ip4(mtu_bytes: u32) -> Mss {
        Mss::announced(u16::try_from(mtu_bytes.saturating_sub(40)).unwrap_or(u16::MAX))
    }

    /// The same below an IPv6 header.
    pub fn of_mtu_ip6(mtu_bytes: u32) -> Mss {
        Mss::announced(u16::try_from(mtu_bytes.saturating_sub(60)).unwrap_or(u16::MAX))
    }

    /// Bytes, as the option carries them.
    pub const fn bytes(self) -> u16 {
        self.0
    }
}

/// A window scale: the shift applied to the window field, 0 to 14 (RFC 7323 §2.3).
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct WindowScale(u8);

impl WindowScale {
    /// The largest shift there may be.
    pub const MAX: WindowScale = WindowScale(14);

    /// A shift as it came in an option; larger ones are taken as 14 (RFC 7323 §2.3, MUST).
    pub fn announced(shift: u8) -> WindowScale {
        WindowScale(shift.min(WindowScale::MAX.0))
    }

    /// The smallest shift with which a window of `bytes` can be told in 16 bits.
    pub fn covering(bytes: u32) -> WindowScale {
        let mut shift = 0;
        while shift < WindowScale::MAX.0 && (bytes >> shift) > u32::from(u16::MAX) {
            shift += 1;
        }
        WindowScale(shift)
    }

    /// The shift.
    pub const fn shift(self) -> u8 {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_scale_covers_its_window_with_the_smallest_shift() {
        assert_eq!(WindowScale::covering(65_535).shift(), 0);
        assert_eq!(WindowScale::covering(65_536).shift(), 1);
        assert_eq!(WindowScale::covering(1 << 20).shift(), 5);
        assert_eq!(WindowScale::covering(u32::MAX).shift(), 14);
        assert_eq!(WindowScale::announced(200), WindowScale::MAX);
    }
}
