//! What happens to a connection on the machine happens to it inside: refusal, reset, half-close.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpListener;
use std::thread;

use super::names::Names;
use super::support::{Running, free_port, ieum, path_of, peer, script};

#[test]
fn a_refusal_on_the_machine_is_a_refusal_inside() {
    if !peer("python3") {
        return;
    }
    let (python, program) = (path_of("python3"), script("outcomes.py"));
    for exit in ["10.77.0.1", "[fd77::1]"] {
        let target = format!("tcp:{exit}:{}", free_port());
        let printed = Running::start(&ieum(&[], &[&python, &program, &target])).finish().success();
        assert_eq!(printed, format!("{target} ECONNREFUSED at once\n"));
    }
}

#[test]
fn what_the_machines_routes_say_is_what_a_program_is_told_in_both_families() {
    let prepare = "ip route add unreachable 198.51.100.0/25 && ip route add prohibit 198.51.100.128/25 \
        && ip route add unreachable 2001:db8:1::/48 && ip route add prohibit 2001:db8:2::/48";
    let Some(names) = Names::start_after(prepare, "") else { return };
    let (python, program) = (path_of("python3"), script("outcomes.py"));
    let expected = [
        ("tcp:198.51.100.1:80", "EHOSTUNREACH"),
        // Whoever is forbidden by an ICMP error of IPv4 is told this by Linux (icmp(7)).
        ("tcp:198.51.100.129:80", "EHOSTUNREACH"),
        ("tcp:203.0.113.1:80", "ENETUNREACH"),
        ("tcp:[2001:db8:1::1]:80", "EHOSTUNREACH"),
        ("tcp:[2001:db8:2::1]:80", "EACCES"),
        ("tcp:[2001:db8:3::1]:80", "ENETUNREACH"),
    ];
    let targets: Vec<&str> = expected.iter().map(|(target, _)| *target).collect();
    let printed = names.ask_with(&[], &[&[python.as_str(), &program], &targets[..]].concat());
    let expected: String = expected.map(|(target, error)| format!("{target} {error} at once\n")).concat();
    assert_eq!(printed, expected);
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
