//! What an endpoint has sent that has not left yet: bounded, and with a word for the sender who found no room.

use crate::bounds::UDP_SEND_QUEUE_BYTES_MAX;

/// The bytes of one endpoint on their way out, with overhead ([`super::cost_bytes`]).
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Outbox {
    bytes: usize,
    /// Something was refused for want of room: say so when there is some.
    awaits_room: bool,
}

impl Outbox {
    /// How many there are.
    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }

    /// Takes so many more; false: there is no room, and [`Outbox::leave`] will tell when there is.
    pub(crate) fn enter(&mut self, cost_bytes: usize) -> bool {
        let fits = self.bytes + cost_bytes <= UDP_SEND_QUEUE_BYTES_MAX;
        if fits {
            self.bytes += cost_bytes;
        } else {
            self.awaits_room = true;
        }
        fits
    }

    /// So many have left; true: who was refused has room now. Half the queue must be free before a waiting sender is
    /// woken, or it would be woken for each datagram.
    pub(crate) fn leave(&mut self, cost_bytes: usize) -> bool {
        self.bytes -= cost_bytes;
        let has_room = self.awaits_room && self.bytes <= UDP_SEND_QUEUE_BYTES_MAX / 2;
        self.awaits_room &= !has_room;
        has_room
    }
}
