//! An echo server and its client, each on a host of its own: what `std::net` would look like, but for the three lines that
//! make the hosts.

use std::io::{self, Read, Write};
use std::thread;

use ieum::Network;
use ieum::net::{Shutdown, TcpListener};

fn serve(listener: &TcpListener) -> io::Result<()> {
    let (stream, peer) = listener.accept()?;
    println!("{peer} is here");
    io::copy(&mut &stream, &mut &stream)?;
    stream.shutdown(Shutdown::Write)
}

/// Ends well when what comes back is what was sent.
pub(crate) fn main() -> io::Result<()> {
    let network = Network::new()?;
    let link = network.link();
    let server = network.host().address(&link, "10.1.0.1/24").build()?;
    let client = network.host().address(&link, "10.1.0.2/24").build()?;

    let listener = server.listen("10.1.0.1:7")?;
    let serving = thread::spawn(move || serve(&listener));

    let mut stream = client.connect("10.1.0.1:7")?;
    stream.write_all(b"is anybody there?")?;
    stream.shutdown(Shutdown::Write)?;
    let mut echo = String::new();
    stream.read_to_string(&mut echo)?;
    println!("and says: {echo}");
    assert_eq!(echo, "is anybody there?");
    serving.join().expect("the server ends in peace")
}
