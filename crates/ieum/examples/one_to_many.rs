//! One UDP socket sends to many: to each by its address, and to all at once by the link's broadcast address. There is no connection,
//! and every datagram says whose it is.

use std::io;

use ieum::Network;

const RECEIVERS: usize = 20;

pub(crate) fn main() -> io::Result<()> {
    let network = Network::new()?;
    let link = network.link();
    let sender = network.host().address(&link, "10.1.0.1/24").build()?.udp("10.1.0.1:5000")?;
    let receivers = (0..RECEIVERS)
        .map(|number| {
            let host = network.host().address(&link, &format!("10.1.0.{}/24", number + 2)).build()?;
            host.udp("0.0.0.0:5001")
        })
        .collect::<io::Result<Vec<_>>>()?;

    for number in 0..RECEIVERS {
        let word = format!("you are number {number}");
        sender.send_to(word.as_bytes(), (format!("10.1.0.{}", number + 2), 5001))?;
    }
    sender.set_broadcast(true)?;
    sender.send_to(b"and this is for all", "10.1.0.255:5001")?;

    for (number, receiver) in receivers.iter().enumerate() {
        for expected in [format!("you are number {number}"), "and this is for all".to_owned()] {
            let mut bytes = [0; 64];
            let (count, source) = receiver.recv_from(&mut bytes)?;
            assert_eq!(source.to_string(), "10.1.0.1:5000");
            assert_eq!(&bytes[..count], expected.as_bytes());
        }
    }
    println!("one socket, {RECEIVERS} receivers, {} datagrams sent, {} heard", RECEIVERS + 1, RECEIVERS * 2);
    Ok(())
}
