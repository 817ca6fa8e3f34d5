//! What one write of 5000 bytes looks like on a wire.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking, in its helpers too")]

use std::time::Duration;

use ieum_lab::{Pair, Wire};
use ieum_stack::{BindRequest, Event, State, TcpSettings};
use ieum_wire::{Instant, ip4, tcp};

#[test]
fn five_thousand_bytes_written_at_once_are_1460_1460_1460_and_620() {
    let (mut world, pair) = Pair::new(1, &Wire::clean(Duration::from_millis(1)), false);
    let address = Pair::server_at(80);
    let request = BindRequest::new(address.ip(), address.port());
    let server = world.node_mut(pair.server);
    let binding = server.tcp_bind(request).unwrap();
    let listener = server.tcp_listen(binding, 1, false, TcpSettings::default()).unwrap();
    let client = world.node_mut(pair.client);
    let id = client.tcp_connect(Instant::ZERO, None, address, TcpSettings::default()).unwrap();
    let mut accepted = None;
    let until = Instant::ZERO + Duration::from_secs(10);
    world
        .run(until, |world| {
            while let Some(event) = world.node_mut(pair.server).poll_event() {
                if event == Event::Acceptable(listener) {
                    accepted = world.node_mut(pair.server).tcp_accept(listener);
                }
            }
            accepted.is_some()
        })
        .unwrap();
    assert_eq!(world.node(pair.client).tcp_status(id).map(|status| status.state), Some(State::Established));

    world.record();
    let now = world.now();
    assert_eq!(world.node_mut(pair.client).tcp_send(now, id, &[7; 5000]), 5000);
    world
        .run(until, |world| {
            let status = world.node(pair.client).tcp_status(id).unwrap();
            status.unacknowledged_bytes == 0
        })
        .unwrap();
    let capture = world.capture().unwrap();
    let sizes: Vec<usize> = capture
        .from(pair.client)
        .map(|record| {
            let parsed = ip4::Header::parse(&record.bytes).unwrap();
            let segment = &record.bytes[parsed.header_bytes..parsed.total_bytes];
            tcp::Header::parse(segment).unwrap().1.len()
        })
        .filter(|size| *size > 0)
        .collect();
    assert_eq!(sizes, [1460, 1460, 1460, 620]);
}
