//! One UDP socket sends to many: to each by its address, to all at once by the link's broadcast address, and to those who have
//! joined a group. There is no connection, and every datagram says whose it is.

use std::io;
use std::net::Ipv4Addr;

use ieum::Network;

const RECEIVERS: usize = 20;
const GROUP: Ipv4Addr = Ipv4Addr::new(239, 0, 0, 1);

pub(crate) fn main() -> io::Result<()> {
    let network = Network::new()?;
    let link = network.link();
    let sender = network.host().address(&link, "10.1.0.1/24").build()?.udp("10.1.0.1:5000")?;
    let receivers = (0u8..)
        .take(RECEIVERS)
        .map(|number| {
            let host = network.host().address(&link, &format!("10.1.0.{}/24", number + 2)).build()?;
            let receiver = host.udp("0.0.0.0:5001")?;
            // Every other one, on the link of its own address.
            if number % 2 == 0 {
                receiver.join_multicast_v4(&GROUP, &Ipv4Addr::new(10, 1, 0, number + 2))?;
            }
            Ok(receiver)
        })
        .collect::<io::Result<Vec<_>>>()?;

    for number in 0..RECEIVERS {
        let word = format!("you are number {number}");
        sender.send_to(word.as_bytes(), (format!("10.1.0.{}", number + 2), 5001))?;
    }
    sender.set_broadcast(true)?;
    sender.send_to(b"and this is for all", "10.1.0.255:5001")?;
    sender.send_to(b"and this for members", (GROUP, 5001))?;

    for (number, receiver) in receivers.iter().enumerate() {
        let mut words = vec![format!("you are number {number}"), "and this is for all".to_owned()];
        words.extend((number % 2 == 0).then(|| "and this for members".to_owned()));
        for expected in words {
            let mut bytes = [0; 64];
            let (count, source) = receiver.recv_from(&mut bytes)?;
            assert_eq!(source.to_string(), "10.1.0.1:5000");
            assert_eq!(&bytes[..count], expected.as_bytes());
        }
    }
    let heard = RECEIVERS * 2 + RECEIVERS / 2;
    println!("one socket, {RECEIVERS} receivers, {} datagrams sent, {heard} heard", RECEIVERS + 2);
    Ok(())
}
