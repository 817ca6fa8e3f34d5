//! Room in the send buffer, counted as Linux counts it, so that a program that chose a size gets the same answers: how much
//! a write takes, and when another would be worth while.
//!
//! What waits lies in packets, each as large as half of the peer's window or the largest super-segment, and each costs
//! something beside its bytes. A packet that has begun is filled whatever the bound says; a new one is begun only below
//! it. What may leave at once leaves as soon as a packet is full, and so makes room for more of the same write.

/// What a packet costs beside its bytes, as seen in Linux 6.18 (SK_MEMINFO_WMEM_QUEUED).
const PACKET_COST_BYTES: u64 = 832;

/// The largest packet, in bytes: what IP can carry less the largest headers.
const PACKET_BYTES_MAX: u32 = 65_535 - 320;

/// Windows up to this one are filled whole, others by halves, so that two packets are on their way (RFC 9293 §3.7.1: the
/// size every host takes).
const WINDOW_FILLED_WHOLE: u32 = 536;

/// The facts of a send buffer. All in bytes, save the packets.
#[derive(Clone, Copy, Debug)]
pub(super) struct Room {
    /// The bound that the user or its host chose.
    pub(super) limit: u32,
    /// Queued, sent or not.
    pub(super) queued: u32,
    /// Of these, never sent.
    pub(super) unsent: u32,
    /// Packets sent and not acknowledged.
    pub(super) packets: u32,
    /// Of what was never sent: the last packet, which can be filled.
    pub(super) tail: u32,
    /// How large a packet becomes.
    pub(super) packet_bytes: u32,
    /// The most that may wait for being sent for the first time before another packet is begun (TCP_NOTSENT_LOWAT).
    pub(super) unsent_max: u32,
    /// Bytes behind the last one that is to go with PSH, and how many it takes for another.
    pub(super) unpushed: u32,
    /// See `unpushed`.
    pub(super) push_after: u32,
}

/// What becomes of a write.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Taken {
    /// Bytes taken.
    pub(super) count: u32,
    /// Of what was never sent: the last packet.
    pub(super) tail: u32,
    /// After how many bytes of the write packets end that go with PSH.
    pub(super) pushes: Vec<u32>,
}

/// As much of a window as one packet fills.
pub(in crate::tcp) fn window_share(window_max: u32) -> u32 {
    if window_max > WINDOW_FILLED_WHOLE { window_max / 2 } else { window_max }
}

/// How large packets become for a peer with that window at most.
pub(super) fn packet_bytes(window_max: u32, mss: u32) -> u32 {
    (window_share(window_max).min(PACKET_BYTES_MAX) / mss).max(1) * mss
}

impl Room {
    /// What all that waits costs.
    fn cost(&self) -> u64 {
        let behind_tail = self.unsent.saturating_sub(self.tail).div_ceil(self.packet_bytes);
        let packets = self.packets + behind_tail + u32::from(self.tail > 0);
        u64::from(self.queued) + u64::from(packets) * PACKET_COST_BYTES
    }

    /// May another packet be begun?
    fn may_begin(&self) -> bool {
        self.cost() < u64::from(self.limit) && self.unsent < self.unsent_max
    }

    /// Takes `wanted` bytes, or as many as there is room for, while `sendable` may leave at once.
    pub(super) fn take(mut self, wanted: u32, mut sendable: u32) -> Taken {
        let (mut left, mut pushes) = (wanted, Vec::new());
        while left > 0 {
            if self.tail == 0 || self.tail >= self.packet_bytes {
                if !self.may_begin() {
                    break;
                }
                self.tail = 0;
            }
            let count = left.min(self.packet_bytes - self.tail);
            left -= count;
            self.tail += count;
            self.unsent += count;
            self.queued += count;
            self.unpushed = self.unpushed.saturating_add(count);
            if left > 0 && self.tail >= self.packet_bytes && self.unpushed > self.push_after {
                // What fills half of the window is handed on by the peer while more of a write follows (Linux:
                // forced_push).
                self.unpushed = 0;
                pushes.push(wanted - left);
            }
            if self.tail >= self.packet_bytes && sendable > 0 {
                let leaves = sendable.min(self.unsent);
                sendable -= leaves;
                self.unsent -= leaves;
                self.packets += leaves.div_ceil(self.packet_bytes);
                self.tail = self.tail.min(self.unsent);
            }
        }
        Taken { count: wanted - left, tail: self.tail, pushes }
    }

    /// How many bytes a write would get rid of at least, if it had them.
    pub(super) fn bytes(&self) -> u32 {
        let fills = if self.tail == 0 { 0 } else { self.packet_bytes.saturating_sub(self.tail) };
        let filled = Room {
            tail: self.tail + fills,
            unsent: self.unsent + fills,
            queued: self.queued + fills,
            ..*self
        };
        if !filled.may_begin() {
            return fills;
        }
        let each = u64::from(self.packet_bytes);
        let by_cost = (u64::from(self.limit) - filled.cost()).div_ceil(each + PACKET_COST_BYTES);
        let by_unsent = u64::from(self.unsent_max - filled.unsent).div_ceil(each);
        let more = by_cost.min(by_unsent).saturating_mul(each);
        fills.saturating_add(u32::try_from(more).unwrap_or(u32::MAX))
    }

    /// Is another write worth while? A third of the buffer is free (Linux: sk_stream_is_writeable), and half of what may
    /// wait unsent has left.
    pub(super) fn is_worthwhile(&self) -> bool {
        let cost = self.cost();
        let free = u64::from(self.limit).saturating_sub(cost);
        free >= cost / 2
            && cost < u64::from(self.limit)
            && u64::from(self.unsent) * 2 < u64::from(self.unsent_max)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn room() -> Room {
        Room {
            limit: 50_000,
            queued: 0,
            unsent: 0,
            packets: 0,
            tail: 0,
            packet_bytes: packet_bytes(32_896, 1000),
            unsent_max: u32::MAX,
            unpushed: 0,
            push_after: u32::MAX,
        }
    }

    fn taken(count: u32, tail: u32) -> Taken {
        Taken { count, tail, pushes: Vec::new() }
    }

    #[test]
    fn packets_are_half_a_window_in_whole_segments() {
        assert_eq!(packet_bytes(32_896, 1000), 16_000);
        assert_eq!(packet_bytes(500, 536), 536);
        assert_eq!(packet_bytes(1 << 30, 1460), 64_240);
    }

    #[test]
    fn what_leaves_at_once_makes_room_for_more() {
        // 16 leave 6; 10 fill them up; two more packets of 16 are begun below the bound.
        assert_eq!(room().take(100_000, 10_000), taken(58_000, 16_000));
        assert_eq!(room().take(5000, 10_000), taken(5000, 5000));
    }

    #[test]
    fn what_waits_unsent_is_bounded_too() {
        let low = Room { unsent_max: 4000, ..room() };
        assert_eq!(low.take(59_000, 10_000).count, 26_000);
        assert!(!Room { unsent: 2000, tail: 2000, queued: 2000, ..low }.is_worthwhile());
        assert!(Room { unsent: 1999, tail: 1999, queued: 1999, ..low }.is_worthwhile());
    }

    #[test]
    fn room_is_what_a_write_takes_when_nothing_leaves() {
        for (queued, tail) in [(0, 0), (9000, 9000), (33_000, 1000), (49_000, 1000), (60_000, 16_000)] {
            let room = Room { queued, unsent: queued, tail, ..room() };
            assert_eq!(room.bytes(), room.take(u32::MAX / 2, 0).count, "{queued}");
        }
    }

    #[test]
    fn a_third_must_be_free_before_another_write_is_worth_while() {
        let with = |queued| Room { queued, unsent: queued, tail: 0, ..room() };
        assert!(with(30_000).is_worthwhile());
        assert!(!with(40_000).is_worthwhile());
    }
}
