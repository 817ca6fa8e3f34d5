//! What happens to a connection on the machine happens to it inside: refusal, reset, half-close.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpListener;
use std::thread;

use super::support::{Running, free_port, ieum, path_of, peer, script};

#[test]
fn a_refusal_on_the_machine_is_a_refusal_inside() {
    if !peer("python3") {
        return;
    }
    let (python, program) = (path_of("python3"), script("outcomes.py"));
    let target = format!("tcp:10.77.0.1:{}", free_port());
    let printed = Running::start(&ieum(&[], &[&python, &program, &target])).finish().success();
    assert_eq!(printed, format!("{target} ECONNREFUSED at once\n"));
}

/// Serves one client: says hello and closes, answers after the client's end, or resets.
fn serve_one(listener: &TcpListener) {
    let (connection, _) = listener.accept().expect("a client comes");
    let mut reader = BufReader::new(connection);
    let mut wish = String::new();
    reader.read_line(&mut wish).expect("a wish is read");
    match wish.trim() {
        "hello" => reader.get_mut().write_all(b"hello yourself").expect("an answer is written"),
        "half" => {
            let mut rest = String::new();
            reader.read_to_string(&mut rest).expect("the client's end is seen");
            reader.get_mut().write_all(b"answered after your end").expect("an answer is written");
        }
        "reset" => {
            let none =
                rustix::net::sockopt::set_socket_linger(reader.get_ref(), Some(std::time::Duration::ZERO));
            none.expect("SO_LINGER is taken");
        }
        other => panic!("nobody wishes {other}"),
    }
}

#[test]
fn end_half_close_and_reset_come_through_the_exit() {
    if !peer("python3") {
        return;
    }
    let (python, program) = (path_of("python3"), script("far_end.py"));
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port is bound");
    let port = listener.local_addr().expect("a bound socket has a name").port().to_string();
    let server = thread::spawn(move || (0..3).for_each(|_| serve_one(&listener)));
    let printed = Running::start(&ieum(&[], &[&python, &program, "10.77.0.1", &port])).finish().success();
    let expected = "hello hello yourself end\nhalf answered after your end end\nreset  ECONNRESET\n";
    assert_eq!(printed, expected);
    server.join().expect("the server has served");
}
