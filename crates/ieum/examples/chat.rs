//! A chat: many clients on one port, each of which writes and reads at the same time.
//!
//! One listening socket, one address and port; what tells the connections apart is the other end of each.

use std::collections::BTreeMap;
use std::io::{self, BufRead, BufReader, Write};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

use ieum::net::{TcpListener, TcpStream};
use ieum::{Host, Network};

const CLIENTS: usize = 10;
const LINES: usize = 5;

type Room = Arc<Mutex<BTreeMap<SocketAddr, TcpStream>>>;

/// Every line goes to everybody.
fn serve(listener: &TcpListener, room: &Room) -> io::Result<()> {
    for _ in 0..CLIENTS {
        let (stream, peer) = listener.accept()?;
        room.lock().unwrap_or_else(PoisonError::into_inner).insert(peer, stream.try_clone()?);
    }
    let readers: Vec<_> = {
        let streams = room.lock().unwrap_or_else(PoisonError::into_inner);
        streams.values().map(TcpStream::try_clone).collect::<io::Result<_>>()?
    };
    let relays = readers.into_iter().map(|reader| {
        let room = Arc::clone(room);
        thread::spawn(move || -> io::Result<()> {
            for line in BufReader::new(reader).lines().take(LINES) {
                let line = line? + "\n";
                let mut streams = room.lock().unwrap_or_else(PoisonError::into_inner);
                for stream in streams.values_mut() {
                    stream.write_all(line.as_bytes())?;
                }
            }
            Ok(())
        })
    });
    relays.collect::<Vec<_>>().into_iter().try_for_each(|relay| relay.join().expect("a relay ends in peace"))
}

/// Says its lines while it hears everybody's; how many it heard.
fn chat(host: &Host, name: usize) -> io::Result<usize> {
    let stream = host.connect("10.1.0.1:6667")?;
    let mut writer = stream.try_clone()?;
    let talking = thread::spawn(move || {
        (0..LINES).try_for_each(|number| writeln!(writer, "client {name} says {number}"))
    });
    let heard = BufReader::new(stream).lines().take(CLIENTS * LINES).collect::<io::Result<Vec<_>>>()?;
    talking.join().expect("talking ends in peace")?;
    // In everybody's ears each speaker's lines stand in their order.
    for speaker in 0..CLIENTS {
        let said = heard.iter().filter(|line| line.starts_with(&format!("client {speaker} ")));
        assert!(said.eq(
            (0..LINES).map(|number| format!("client {speaker} says {number}")).collect::<Vec<_>>().iter()
        ));
    }
    Ok(heard.len())
}

pub(crate) fn main() -> io::Result<()> {
    let network = Network::new()?;
    let link = network.link();
    let server = network.host().address(&link, "10.1.0.1/24").build()?;
    let listener = server.listen("10.1.0.1:6667")?;
    let serving = thread::spawn(move || serve(&listener, &Room::default()));
    let clients: Vec<_> = (0..CLIENTS)
        .map(|name| {
            let host = network.host().address(&link, &format!("10.1.0.{}/24", name + 2)).build()?;
            Ok(thread::spawn(move || chat(&host, name)))
        })
        .collect::<io::Result<_>>()?;
    for client in clients {
        assert_eq!(client.join().expect("a client ends in peace")?, CLIENTS * LINES);
    }
    serving.join().expect("the server ends in peace")?;
    println!("{CLIENTS} clients on one port heard {} lines each", CLIENTS * LINES);
    Ok(())
}
