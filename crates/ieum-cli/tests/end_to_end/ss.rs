//! `ieum ss`: what a person sees of hosts' sockets.

use super::support::{Runtime, peer, server_of};

#[test]
fn every_socket_is_shown_with_its_process_its_state_and_its_queues() {
    if !peer("python3") {
        return;
    }
    let runtime = Runtime::new();
    let mut server = runtime.guest(&["--name", "a"], &["listen", "7", "2"]);
    server.line("ready");
    let mut client = runtime.guest(&["--in", "a", "--through"], &["hold", "7", "2"]);
    client.line("open 2");
    server.line("accepted 2");
    let shown = runtime.ss(&["--in", "a"]);
    let mut lines = shown.lines();
    assert_eq!(
        lines.next().map(|title| title.split_whitespace().collect::<Vec<_>>()),
        Some(vec!["Process", "Proto", "State", "Recv-Q", "Send-Q", "Local", "Remote"])
    );
    let rows: Vec<Vec<&str>> = lines.map(|line| line.split_whitespace().collect()).collect();
    let listening = rows.iter().find(|row| row[2] == "LISTEN").expect("the listener is shown");
    assert!(listening[0].starts_with("python3("), "{listening:?}");
    assert_eq!(listening[1..], ["tcp", "LISTEN", "0", "4096", "127.0.0.1:7", "*"]);
    let established = rows.iter().filter(|row| row[2] == "ESTAB").collect::<Vec<_>>();
    assert_eq!(established.len(), 4, "both ends of both connections: {shown}");
    assert!(established.iter().all(|row| row[0].starts_with("python3(")), "{shown}");
    assert_eq!(established.iter().filter(|row| row[6] == "127.0.0.1:7").count(), 2);
}

#[test]
fn bytes_that_wait_are_shown_on_both_sides_and_connections_at_the_listener() {
    if !peer("python3") {
        return;
    }
    let program = "
import socket
server = socket.create_server(('127.0.0.1', 7), backlog=9)
one = socket.create_connection(('127.0.0.1', 7))
one.sendall(b'12345')
print('ready', flush=True)
input()
peer, _ = server.accept()
peer.recv(5, socket.MSG_PEEK)
print('accepted', flush=True)
input()
";
    let runtime = Runtime::new();
    let mut running = runtime.run(&["--name", "a"], &["python3", "-c", program]);
    running.line("ready");
    let shown = runtime.ss(&["--in", "a", "--json"]);
    assert!(shown.contains("\"accept_queue\": 1") && shown.contains("\"accept_queue_max\": 9"), "{shown}");
    running.tell("go on");
    running.line("accepted");
    let shown = runtime.ss(&["--in", "a", "--json"]);
    assert!(shown.contains("\"accept_queue\": 0") && shown.contains("\"recv_queue\": 5"), "{shown}");
}

#[test]
fn a_socket_that_was_closed_is_shown_no_more_and_one_that_another_process_holds_is() {
    if !peer("python3") {
        return;
    }
    let program = "
import os, socket, sys
datagrams, listening = socket.socket(socket.AF_INET, socket.SOCK_DGRAM), socket.socket()
for port, each in (71, datagrams), (72, listening):
    each.bind(('127.0.0.1', port))
listening.listen()
held = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
held.bind(('127.0.0.1', 73))
(end, ours), (told, tell) = os.pipe(), os.pipe()
if os.fork() == 0:
    datagrams.close(), listening.close(), os.close(ours)
    os.write(tell, b'.')
    os.read(end, 1)
    sys.exit()
os.read(told, 1)
held.close()
print('ready', flush=True)
input()
datagrams.close(), listening.close()
print('closed', flush=True)
input()
";
    let runtime = Runtime::new();
    let mut running = runtime.run(&["--name", "a"], &["python3", "-c", program]);
    running.line("ready");
    let shown = runtime.ss(&["--in", "a"]);
    assert!([71, 72, 73].iter().all(|port| shown.contains(&format!("127.0.0.1:{port} "))), "{shown}");
    running.tell("close them");
    running.line("closed");
    let shown = runtime.ss(&["--in", "a"]);
    assert_eq!(shown.lines().count(), 2, "{shown}");
    assert!(shown.contains("127.0.0.1:73 ") && shown.contains("python3("), "{shown}");
}

#[test]
fn a_connection_that_is_over_is_shown_only_while_somebody_holds_it() {
    if !peer("python3") {
        return;
    }
    let program = "
import socket
server = socket.create_server(('127.0.0.1', 7))
def over():
    client = socket.create_connection(('127.0.0.1', 7))
    accepted, _ = server.accept()
    client.close()
    assert accepted.recv(1) == b''
    accepted.shutdown(socket.SHUT_WR)
    return accepted
over().close()
held = over()
print('ready', flush=True)
input()
";
    let runtime = Runtime::new();
    let mut running = runtime.run(&["--name", "a"], &["python3", "-c", program]);
    running.line("ready");
    let shown = runtime.ss(&["--in", "a"]);
    let nobody_s = shown.lines().filter(|line| line.starts_with("- ") && !line.contains("TIME-WAIT"));
    assert_eq!(nobody_s.count(), 0, "{shown}");
}

#[test]
fn all_hosts_are_shown_each_under_its_name_those_without_one_under_their_number() {
    if !peer("python3") {
        return;
    }
    let runtime = Runtime::new();
    let mut named = runtime.guest(&["--name", "b"], &["echo", "7"]);
    let mut nameless = runtime.guest(&[], &["echo", "8"]);
    named.line("ready");
    nameless.line("ready");
    let shown = runtime.ss(&[]);
    let number = nameless.id().to_string();
    assert!(shown.contains("b:\nProcess") && shown.contains(&format!("{number}:\nProcess")), "{shown}");
    assert!(!runtime.ss(&["--in", &number]).contains("127.0.0.1:7"));
    let refused = runtime.run(&["--in", &number], &["true"]).finish();
    assert!(refused.stderr.contains("--name"), "{}", refused.stderr);
}

#[test]
fn a_thousand_sockets_are_shown_in_one_table() {
    if !peer("python3") {
        return;
    }
    let runtime = Runtime::new();
    let mut server = runtime.guest(&["--name", "a"], &["listen", "7", "500"]);
    server.line("ready");
    let mut client = runtime.guest(&["--in", "a"], &["hold", "7", "500"]);
    client.line("open 500");
    server.line("accepted 500");
    assert_eq!(runtime.ss(&["--in", "a"]).lines().filter(|line| line.contains("ESTAB")).count(), 1000);
}

#[test]
fn what_was_dropped_is_shown_by_reason() {
    if !peer("python3") {
        return;
    }
    let runtime = Runtime::new();
    let mut owner = runtime.guest(&["--name", "a"], &["echo", "7"]);
    owner.line("ready");
    assert_eq!(runtime.ss(&["--in", "a", "--drops"]), "nothing was dropped\n");
    assert_eq!(runtime.ss(&["--in", "a", "--drops", "--json"]), "[]\n");
    assert!(server_of(&owner) > 1);
}

#[test]
fn datagrams_that_were_dropped_are_shown_whoever_has_them() {
    if !peer("python3") {
        return;
    }
    let program = "
import socket
full = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
full.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
full.bind(('127.0.0.1', 7))
sender = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
for _ in range(100):
    sender.sendto(bytes(500), ('127.0.0.1', 7))
sender.connect(('127.0.0.1', 8))
sender.send(b'to nobody')
try:
    sender.recv(1)
except (ConnectionRefusedError, ConnectionResetError):
    print('ready', flush=True)
input()
";
    for way in ["carrier", "auto"] {
        let runtime = Runtime::new();
        let mut running = runtime.run(&["--name", "a", "--udp", way], &["python3", "-c", program]);
        running.line("ready");
        let shown = runtime.ss(&["--in", "a", "--drops"]);
        let counted = |reason: &str| {
            let line = shown.lines().find(|line| line.contains(reason));
            line.and_then(|line| line.split_whitespace().find_map(|word| word.parse::<u32>().ok()))
        };
        assert!(counted("udp queue full").is_some_and(|count| (50..100).contains(&count)), "{way}: {shown}");
        assert_eq!(counted("udp port unknown"), Some(1), "{way}: {shown}");
    }
}

#[test]
fn a_connection_that_found_the_accept_queue_full_is_shown_as_dropped() {
    if !peer("python3") {
        return;
    }
    let program = "
import select, socket
server = socket.create_server(('127.0.0.1', 7), backlog=1)
waiting = [socket.create_connection(('127.0.0.1', 7)) for _ in range(2)]
late = socket.socket()
late.setblocking(False)
late.connect_ex(('127.0.0.1', 7))
# What was said before has been heard when this one is connected.
other = socket.create_server(('127.0.0.1', 8))
socket.create_connection(('127.0.0.1', 8))
print('ready', flush=True)
input()
server.accept()
select.select([], [late], [])
print('error', late.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR), flush=True)
";
    let runtime = Runtime::new();
    let mut running = runtime.run(&["--name", "a"], &["python3", "-c", program]);
    running.line("ready");
    let row = |shown: &str| shown.lines().any(|line| line.contains("tcp accept queue full"));
    let shown = runtime.ss(&["--in", "a", "--drops"]);
    assert!(row(&shown), "{shown}");
    let shown = runtime.ss(&["--in", "a", "--drops", "--json"]);
    assert!(row(&shown), "{shown}");
    running.tell("take one");
    running.line("error 0");
}
