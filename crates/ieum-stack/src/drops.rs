//! Why packets were dropped: one reason, one name, one counter.
//!
//! Each packet given to [`crate::Stack::on_frame`] is accepted or dropped for exactly one reason; [`Tally`] lets
//! anyone check that. Reasons of the second kind are about packets that we
//! ourselves would have sent, or whose parts were each accepted.

/// Writes the enum of reasons, their order and their names from one list.
macro_rules! reasons {
    (received { $($(#[$doc:meta])* $reason:ident => $name:literal,)+ }
     sent { $($(#[$sent_doc:meta])* $sent:ident => $sent_name:literal,)+ }) => {
        /// Why a packet was dropped.
        #[derive(Clone, Copy, PartialEq, Eq, Debug)]
        pub(crate) enum Drop {
            $($(#[$doc])* $reason,)+
            $($(#[$sent_doc])* $sent,)+
        }

        impl Drop {
            /// Every reason, in the order in which they are shown.
            const ALL: &[Drop] = &[$(Drop::$reason,)+ $(Drop::$sent,)+];

            /// The reason as people read it.
            const fn name(self) -> &'static str {
                match self {
                    $(Drop::$reason => $name,)+
                    $(Drop::$sent => $sent_name,)+
                }
            }

            /// Was the packet one that came in?
            const fn is_received(self) -> bool {
                match self {
                    $(Drop::$reason => true,)+
                    $(Drop::$sent => false,)+
                }
            }
        }
    };
}

reasons! {
    received {
        /// It came over a link that this stack does not have.
        LinkUnknown => "link unknown",
        /// A frame's header on a link whose frames have none, or none where they have one.
        FrameMedium => "frame medium",
        /// A frame for another station.
        FrameNotOurs => "frame not ours",
        /// A frame that carries neither IP nor ARP, or another version than it says.
        FrameType => "frame type",
        /// An ARP message that cannot be.
        ArpMalformed => "arp malformed",
        /// A packet for one in a frame for many (RFC 1122 §3.3.6).
        FrameForMany => "frame for many",
        /// ARP about others.
        ArpNotForUs => "arp not for us",
        /// A message of neighbour discovery that cannot be (RFC 4861 §7.1), or came in fragments (RFC 6980).
        NdpMalformed => "ndp malformed",
        /// Neighbour discovery about others.
        NdpNotForUs => "ndp not for us",
        /// More answers to neighbours are owed than are kept.
        NeighborAnswers => "neighbor answers",
        /// Neither version 4 nor version 6 of IP.
        IpVersion => "ip version",
        /// Shorter than an IPv4 header, or than its own total length.
        Ip4Truncated => "ip4 truncated",
        /// The header length is below 20 bytes or beyond the packet.
        Ip4HeaderLength => "ip4 header length",
        /// The header checksum does not add up.
        Ip4Checksum => "ip4 checksum",
        /// Shorter than an IPv6 header, or than its own payload length.
        Ip6Truncated => "ip6 truncated",
        /// An extension header reaches beyond the packet, stands where it may not, or is one too many.
        Ip6ExtensionHeader => "ip6 extension header",
        /// An option that may not be skipped (RFC 8200 §4.2).
        Ip6Option => "ip6 option",
        /// A routing header that is not used up (RFC 5095).
        Ip6Routing => "ip6 routing header",
        /// A fragment whose length or place cannot be.
        FragmentMisfits => "fragment misfits",
        /// A fragment that was there already.
        FragmentCopy => "fragment copy",
        /// A fragment that overlaps others: it ends its datagram (RFC 5722).
        FragmentOverlap => "fragment overlap",
        /// A fragment of a datagram in more pieces than are kept.
        FragmentPieces => "fragment pieces",
        /// A source address that cannot come over that link (RFC 1122 §3.2.1.3, RFC 1812 §5.3.7).
        MartianSource => "martian source",
        /// A loopback destination that came from outside.
        MartianDestination => "martian destination",
        /// The destination is not ours, and we do not forward.
        NotForUs => "not for us",
        /// Nobody here speaks that protocol.
        ProtocolUnknown => "protocol unknown",
        /// Shorter than an ICMP header.
        IcmpTruncated => "icmp truncated",
        /// The ICMP checksum does not add up.
        IcmpChecksum => "icmp checksum",
        /// An ICMP type that nobody here waits for.
        IcmpKind => "icmp kind",
        /// A message about groups that is no question, is damaged, or comes from afar.
        GroupMessage => "group message",
        /// An echo request for an address that is not our own.
        IcmpEchoNotOurs => "icmp echo not ours",
        /// An ICMP error that quotes no packet of ours.
        IcmpQuote => "icmp quote",
        /// More ICMP messages are owed than the queue holds.
        IcmpQueueFull => "icmp queue full",
        /// The ping endpoint's receive queue is full.
        PingQueueFull => "ping queue full",
        /// Shorter than a UDP header, or than its own length.
        UdpTruncated => "udp truncated",
        /// The UDP length is below 8.
        UdpLength => "udp length",
        /// The UDP checksum does not add up, or is missing over IPv6 (RFC 8200 §8.1).
        UdpChecksum => "udp checksum",
        /// Nobody is bound to that port.
        UdpPortUnknown => "udp port unknown",
        /// The endpoint's receive queue is full.
        UdpQueueFull => "udp queue full",
        /// The queue of datagrams for nobody in particular is full.
        UdpAnyQueueFull => "udp any queue full",
        /// More packets are on their way to or from the stack that has the datagrams than are kept.
        DelegateQueueFull => "delegate queue full",
        /// A packet of the stack that has the datagrams, and no way leads to its destination.
        DelegateNoRoute => "delegate no route",
        /// Shorter than a TCP header.
        TcpTruncated => "tcp truncated",
        /// The data offset is below 5 words or beyond the segment.
        TcpDataOffset => "tcp data offset",
        /// An option's length is wrong.
        TcpOptions => "tcp options",
        /// The TCP checksum does not add up.
        TcpChecksum => "tcp checksum",
        /// A TCP segment for a broadcast address (RFC 9293 §3.10.7, MUST-57).
        TcpNotUnicast => "tcp not unicast",
        /// Nobody has a connection like that, or listens for one.
        TcpNoConnection => "tcp no connection",
        /// The listener's SYN queue is full.
        TcpSynQueueFull => "tcp syn queue full",
        /// An acknowledgement for a listener that answers SYNs by cookies, but with none of ours.
        TcpCookieUnknown => "tcp cookie unknown",
        /// The listener's accept queue is full.
        TcpAcceptQueueFull => "tcp accept queue full",
        /// An acknowledgement of our SYN-ACK, without the data that is waited for (TCP_DEFER_ACCEPT).
        TcpDeferred => "tcp deferred",
        /// A SYN again, while the first one waits for its verdict.
        TcpRequestHeld => "tcp request held",
        /// A SYN from where no route leads back.
        TcpNoWayBack => "tcp no way back",
        /// An acknowledgement of what was never sent, or of what is long forgotten.
        TcpAckOutside => "tcp ack outside",
        /// Nothing of it lies in the receive window.
        TcpOutsideWindow => "tcp outside window",
        /// A RST in the window but not at its left edge (RFC 5961 §3.2).
        TcpResetNotExact => "tcp reset not exact",
        /// A SYN on a connection that is established (RFC 5961 §4.2).
        TcpSynOnConnection => "tcp syn on connection",
        /// A segment without SYN where a SYN was awaited.
        TcpNoSyn => "tcp no syn",
        /// A segment without ACK on a connection (RFC 9293 §3.10.7.4).
        TcpNoAck => "tcp no ack",
        /// A timestamp older than one seen before (RFC 7323 §5.3).
        TcpOldTimestamp => "tcp old timestamp",
        /// Data that nobody will ever read.
        TcpNoReader => "tcp no reader",
        /// More holes in the received data than are kept apart.
        TcpTooManyHoles => "tcp too many holes",
        /// The next data, and no memory for it in the receive buffer.
        TcpNoMemory => "tcp no memory",
        /// A segment for a connection in TIME-WAIT.
        TcpTimeWait => "tcp time wait",
        /// An ICMP error that changes nothing about its connection (RFC 9293 §3.9.2.2).
        TcpIcmpIgnored => "tcp icmp ignored",
    }
    sent {
        /// A packet for a neighbour that does not answer.
        NeighborSilent => "neighbor silent",
        /// A packet that waited for a neighbour and gave way to newer ones.
        NeighborParked => "neighbor parked",
        /// A packet that waited for a neighbour which gave way to others, or whose link is gone.
        NeighborForgotten => "neighbor forgotten",
        /// A datagram whose missing fragments did not come in time.
        FragmentsLate => "fragments late",
        /// A datagram whose fragments were driven out by those of others.
        FragmentsDrivenOut => "fragments driven out",
        /// A datagram for a link that is too narrow even for fragments.
        UdpUnsent => "udp unsent",
        /// A packet of a raw endpoint that no link takes, or that is none.
        RawUnsent => "raw unsent",
        /// A copy for a raw endpoint whose receive queue is full.
        RawQueueFull => "raw queue full",
        /// An ICMP error beyond the rate.
        IcmpRate => "icmp rate",
        /// An ICMP error, request or reply that was refused for want of room or of a way to its receiver.
        IcmpUnsent => "icmp unsent",
        /// More resets and acknowledgements without a connection are owed than the queue holds.
        TcpReplyQueueFull => "tcp reply queue full",
        /// A connection that was closed when there were too many already that nobody holds: it was reset.
        TcpTooManyOrphans => "tcp too many orphans",
        /// A SYN that waited for its verdict when its listener closed: who listens now had no room for it, or no way back.
        TcpNotPassedOn => "tcp not passed on",
        /// A segment of ours for which no route is left.
        TcpNoRoute => "tcp no route",
    }
}

/// What became of the packets given to [`crate::Stack::on_frame`]: `received = accepted + dropped`, always.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Tally {
    /// Packets that came in.
    pub received: u64,
    /// Packets that reached what they were for.
    pub accepted: u64,
    /// Packets that were dropped, for any reason.
    pub dropped: u64,
}

/// The counters of all reasons.
#[derive(Debug)]
pub(crate) struct Drops {
    counts: [u64; Drop::ALL.len()],
    tally: Tally,
}

impl Drops {
    /// Nothing dropped yet.
    pub(crate) fn new() -> Drops {
        Drops { counts: [0; Drop::ALL.len()], tally: Tally::default() }
    }

    /// Counts one packet dropped for `reason`.
    pub(crate) fn count(&mut self, reason: Drop) {
        self.counts[reason as usize] += 1;
        if reason.is_received() {
            self.tally.dropped += 1;
        }
    }

    /// A packet comes in; its judgement ends with [`Drops::judged`].
    pub(crate) fn received(&mut self) {
        self.tally.received += 1;
    }

    /// The packet that came in last has been handled: it is accepted unless a reason was counted for it.
    pub(crate) fn judged(&mut self) {
        let accepted = self.tally.received.saturating_sub(self.tally.dropped);
        debug_assert!(
            accepted == self.tally.accepted || accepted == self.tally.accepted + 1,
            "a packet is dropped for one reason at most"
        );
        self.tally.accepted = accepted;
    }

    /// What became of all packets.
    pub(crate) fn tally(&self) -> Tally {
        self.tally
    }

    /// The reasons that occurred, in a fixed order.
    pub(crate) fn list(&self) -> Vec<(&'static str, u64)> {
        let all = Drop::ALL.iter().map(|reason| (reason.name(), self.counts[*reason as usize]));
        all.filter(|(_, count)| *count > 0).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_happened_is_listed_in_a_fixed_order() {
        let mut drops = Drops::new();
        for reason in [Drop::UdpChecksum, Drop::NotForUs, Drop::UdpChecksum, Drop::IcmpRate] {
            drops.count(reason);
        }
        assert_eq!(drops.list(), [("not for us", 1), ("udp checksum", 2), ("icmp rate", 1)]);
    }

    #[test]
    fn no_two_reasons_share_a_name() {
        let mut names: Vec<_> = Drop::ALL.iter().map(|reason| reason.name()).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), Drop::ALL.len());
    }
}
