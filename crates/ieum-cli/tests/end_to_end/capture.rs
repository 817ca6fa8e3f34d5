//! `--capture`: what tshark reads from it.

use std::io::Read;
use std::net::TcpListener;

use super::support::{BROKEN, Folder, Running, ieum, path_of, peers, script, tshark};

#[test]
fn five_thousand_bytes_are_three_full_segments_and_one_of_620() {
    if !peers(&["tshark", "python3"]) {
        return;
    }
    let folder = Folder::new();
    let (python, program, file) = (path_of("python3"), script("write_and_go.py"), folder.file("link.pcapng"));
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port is bound");
    let port = listener.local_addr().expect("a bound socket has a name").port().to_string();
    let flags = ["--capture", &file, "--no-timestamps"];
    let running = Running::start(&ieum(&flags, &[&python, &program, "10.77.0.1", &port, "5000"]));
    let (mut connection, _) = listener.accept().expect("the program connects");
    let mut received = Vec::new();
    connection.read_to_end(&mut received).expect("the connection ends in order");
    assert_eq!(received.len(), 5000);
    assert_eq!(running.finish().code, 0);

    let segments = tshark(&file, "ip.src == 10.77.0.2 && tcp.len > 0", &["tcp.len"]);
    assert_eq!(segments, ["1460", "1460", "1460", "620"]);
    let opened = tshark(
        &file,
        "tcp.flags.syn == 1",
        &["ip.src", "tcp.options.mss_val", "tcp.options.timestamp.tsval"],
    );
    assert_eq!(opened, ["10.77.0.2\t1460\t", "10.77.0.1\t1460\t"]);
    // The other end's FIN may come when ieum, whose program has gone and been heard, has gone too.
    assert_eq!(tshark(&file, "tcp.flags.fin == 1 && ip.src == 10.77.0.2", &["ip.dst"]), ["10.77.0.1"]);
    assert_eq!(tshark(&file, BROKEN, &["frame.number"]), Vec::<String>::new());
    assert_eq!(tshark(&file, "ip.len > 1500", &["frame.number"]), Vec::<String>::new());
}
