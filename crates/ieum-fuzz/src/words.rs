//! What other processes say: control messages and the frames of a net.

use ieum_control::decode;
use ieum_net::frame::Trailer;
use ieum_run::control::{Answer, Request};
use ieum_run::{Granted, Wish};
use ieum_wire::{Packet, ip, segmentation};

/// The bytes as a message of every kind that is understood on a control socket, and what is understood said again.
///
/// # Panics
///
/// When reading them does, or when what was read means something else after it was written.
pub fn control(input: &[u8]) {
    let _ = decode::<Request>(input);
    let _ = decode::<Answer>(input);
    let _ = decode::<Wish>(input);
    let _ = decode::<Granted>(input);
    let _ = decode::<ieum_net::message::Request>(input);
    if let Ok(word) = decode::<ieum_net::message::Word>(input) {
        let again = ieum_control::encode(&word).expect("what was read can be written");
        assert!(decode::<ieum_net::message::Word>(&again).is_ok(), "what was written can be read");
    }
}

/// The bytes as a frame of a net: its trailer, and what is done with the packet before it on the way to a host.
///
/// # Panics
///
/// When reading it does, or when a packet is cut into parts that are larger than itself.
pub fn frames(input: &[u8]) {
    let Ok((length, trailer)) = Trailer::decode(input) else { return };
    let mut packet = Packet::from_wire(&input[..length]);
    packet.gso = trailer.gso;
    packet.checksum = trailer.checksum;
    let _ = ip::parse(packet.bytes());
    assert!(segmentation::frames(&packet) >= 1, "a packet is one frame at least");
    segmentation::cut(&packet, |part| {
        assert!(part.len() <= packet.len() + 8, "a part is no larger than the whole")
    });
}
