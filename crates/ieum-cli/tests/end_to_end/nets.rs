//! `--net`: several hosts on one link, each with a command of its own.

use std::fs;
use std::io::{Read, Write};
use std::net::TcpListener;
use std::path::Path;

use rustix::process::Signal;

use super::support::{Folder, Running, User, ieum, is_root, path_of, peer, peers, script};

/// A user's nets: control sockets in a folder of the test's own.
struct Nets(Folder);

impl Nets {
    fn new() -> Nets {
        Nets(Folder::new())
    }

    /// Starts `ieum run --net lab FLAGS -- PROGRAM`.
    fn run(&self, flags: &[&str], program: &[&str]) -> Running {
        let flags = [&["--net", "lab"], flags].concat();
        Running::start_with(&ieum(&flags, program), |command| command.env("XDG_RUNTIME_DIR", self.0.path()))
    }

    /// The same with `who.py` as the program.
    fn who(&self, flags: &[&str], words: &[&str]) -> Running {
        let (python, program) = (path_of("python3"), script("who.py"));
        self.run(flags, &[&[python.as_str(), &program], words].concat())
    }

    fn ask(&self, flags: &[&str], name: &str) -> String {
        self.who(flags, &["ask", name, "80"]).finish().success()
    }
}

#[test]
fn three_hosts_of_a_net_call_a_fourth_which_sees_three_addresses() {
    if !peer("python3") {
        return;
    }
    let nets = Nets::new();
    let mut server = nets.who(&["--name", "web"], &["serve", "80", "4"]);
    server.line("ready");
    let mut seen = Vec::new();
    for (name, server_is) in
        [("a", "web.lab.ieum"), ("b", "10.77.0.2"), ("c", "WEB.lab.ieum"), ("d", "fd77::2")]
    {
        let told = nets.ask(&["--name", name], server_is);
        let from = server.line("from ");
        assert_eq!(told.trim_end().trim_start_matches("you are "), from.trim_start_matches("from "));
        seen.push(from);
    }
    seen.sort();
    seen.dedup();
    assert_eq!(seen.len(), 4, "{seen:?}");
    assert_eq!(server.finish().code, 0);
}

#[test]
fn one_host_of_a_net_speaks_to_many() {
    if !peer("python3") {
        return;
    }
    let nets = Nets::new();
    let (python, program) = (path_of("python3"), script("group.py"));
    let command = |words: &[&str]| nets.run(&[], &[&[python.as_str(), &program], words].concat());
    // The first host has 10.77.0.2 and keeps it: who hears may name the interface by it, or leave it to the route.
    for (group, interfaces) in [("239.1.2.3", ["10.77.0.2", "0.0.0.0", "0.0.0.0"]), ("ff15::7", ["", "", ""])]
    {
        let mut hearers: Vec<Running> = interfaces
            .into_iter()
            .map(|interface| {
                let words = ["hear", group, "5000", interface];
                let mut hearer = command(&words[..if interface.is_empty() { 3 } else { 4 }]);
                hearer.line("ready");
                hearer
            })
            .collect();
        assert_eq!(command(&["say", group, "5000", "all"]).finish().code, 0);
        for hearer in &mut hearers {
            hearer.line("heard all from ");
        }
        assert!(hearers.into_iter().all(|hearer| hearer.finish().code == 0));
    }
}

#[test]
fn hosts_of_a_net_serve_each_other_while_both_reach_the_machine() {
    if !peers(&["python3", "curl"]) {
        return;
    }
    let nets = Nets::new();
    let machine = TcpListener::bind("127.0.0.1:0").expect("a free port is bound");
    let port = machine.local_addr().expect("a bound socket has a name").port();
    let folder = Folder::new();
    folder.write("index.html", "a page of the net\n");
    let (python, place) = (path_of("python3"), folder.file(""));
    let mut server =
        nets.run(&["--name", "web"], &[&python, "-u", "-m", "http.server", "80", "--directory", &place]);
    server.line("Serving");
    let page = nets.run(&[], &["curl", "-sS", "http://web.lab.ieum/"]).finish().success();
    assert_eq!(page, "a page of the net\n");

    let url = format!("http://10.77.0.1:{port}/");
    let asking = nets.run(&[], &["curl", "-sS", &url]);
    let (mut connection, _) = machine.accept().expect("a host of the net reaches the machine");
    let mut request = [0; 1000];
    assert!(connection.read(&mut request).expect("a request comes") > 0);
    connection.write_all(b"HTTP/1.0 200 OK\r\n\r\nthe machine\n").expect("an answer is sent");
    drop(connection);
    assert_eq!(asking.finish().success(), "the machine\n");
    server.signal(Signal::TERM);
    server.finish();
}

#[test]
fn what_cannot_be_had_is_refused_in_one_line() {
    if !peer("python3") {
        return;
    }
    let nets = Nets::new();
    let mut owner = nets.who(&["--name", "web"], &["serve", "80", "1"]);
    owner.line("ready");
    for (flags, reason) in [
        (&["--name", "web"][..], "web"),
        (&["--address", "10.77.0.2/24"], "10.77.0.2 is taken in the net lab by web (process"),
        (&["--address", "192.0.2.2/24", "--gateway", "192.0.2.1"], "give one from 10.77.0.2 to 10.77.0.254"),
        (&["--address6", "fd77::2/64"], "fd77::2 is taken in the net lab by web"),
        (&["--no-ipv6"], "--no-ipv6"),
        (&["--name", "a.b"], "letters, digits and hyphens"),
    ] {
        let finished = nets.run(flags, &["true"]).finish();
        assert_eq!(finished.code, 125, "{finished:?}");
        let clear = finished.stderr.starts_with("ieum: ") && finished.stderr.lines().count() == 1;
        assert!(clear && finished.stderr.contains(reason), "{flags:?}: {finished:?}");
    }
    // Nobody is at an address that nobody has, and that is known at once; of datagrams of the kernel it is known a moment later.
    let (python, program) = (path_of("python3"), script("outcomes.py"));
    let words = [python.as_str(), &program, "tcp:10.77.0.99:80", "udp:10.77.0.99:80", "tcp:[fd77::99]:80"];
    let printed = nets.run(&["--address", "10.77.0.77/24", "--udp", "carrier"], &words).finish().success();
    let absent = "tcp:10.77.0.99:80 EHOSTUNREACH at once\nudp:10.77.0.99:80 EHOSTUNREACH at once\n\
        tcp:[fd77::99]:80 EHOSTUNREACH at once\n";
    assert_eq!(printed, absent);
    assert_eq!(nets.ask(&["--address6", "fd77::88/64"], "10.77.0.2"), "you are 10.77.0.88\n");
    assert_eq!(owner.finish().code, 0);
}

#[test]
fn a_net_goes_on_when_the_program_that_began_it_ends() {
    if !peer("python3") {
        return;
    }
    let nets = Nets::new();
    let mut first = nets.run(&["--name", "first"], &["sh", "-c", "echo begun; cat; exit 7"]);
    first.line("begun");
    let mut server = nets.who(&["--name", "web"], &["serve", "80", "2"]);
    server.line("ready");
    // Its command ends with its program's code, at once.
    assert_eq!(first.finish().code, 7);
    assert_eq!(nets.ask(&[], "web.lab.ieum"), "you are fd77::4\n");
    // The name of who has gone can be had again.
    assert_eq!(nets.ask(&["--name", "first"], "web.lab.ieum"), "you are fd77::5\n");
    assert_eq!(server.finish().code, 0);
}

#[test]
fn what_a_host_has_sent_is_read_whole_when_it_has_left_long_ago() {
    if !peer("python3") {
        return;
    }
    let nets = Nets::new();
    let mut server = nets.who(&["--name", "web"], &["late", "80"]);
    server.line("ready");
    // More than the kernel queues for a program: the rest is with the server's host.
    let (python, program) = (path_of("python3"), script("write_and_go.py"));
    nets.run(&[], &[&python, &program, "10.77.0.2", "80", "1500000"]).finish().success();
    // Its host is no more, and the server's has been told.
    assert!(nets.run(&["--name", "other"], &["true"]).finish().code == 0);
    server.tell("read");
    assert_eq!(server.line("read"), "read 1500000 end");
    assert_eq!(server.finish().code, 0);
}

#[test]
fn when_the_owner_is_killed_the_others_hear_of_it_at_once_and_keep_their_exits() {
    if !peer("python3") {
        return;
    }
    let nets = Nets::new();
    let machine = TcpListener::bind("127.0.0.1:0").expect("a free port is bound");
    let port = machine.local_addr().expect("a bound socket has a name").port().to_string();
    let mut owner = nets.who(&["--name", "web"], &["hold", "80"]);
    owner.line("ready");
    let both = "\"$@\"; read _ && exec python3 -c 'import socket,sys; socket.create_connection((\"10.77.0.1\", int(sys.argv[1])))' \"$0\"";
    let (python, program) = (path_of("python3"), script("who.py"));
    let crowd = [python.as_str(), &program, "crowd", "web.lab.ieum", "80", "20"];
    let mut member = nets.run(&["--name", "member"], &[&["sh", "-c", both, &port], &crowd[..]].concat());
    member.line("open");
    owner.signal(Signal::KILL);
    assert_eq!(member.line("ended"), "ended ECONNRESET 20");
    // Its program lives still, with sockets that lead nowhere, until it has nothing to read any more.
    assert_eq!(owner.finish().code, 128 + 9);
    let again = member.line("again");
    assert!(again == "again EHOSTUNREACH" || again == "again ENETUNREACH", "{again}");
    member.tell("go on");
    machine.accept().expect("the member's exit goes on");
    assert_eq!(member.finish().code, 0);
    // The net can be begun anew.
    let mut owner = nets.who(&["--name", "web"], &["serve", "80", "1"]);
    owner.line("ready");
    assert_eq!(nets.ask(&[], "web.lab.ieum"), "you are fd77::3\n");
}

/// The process that serves a command's host: the command itself, or the one it has put in its place.
fn server_of(running: &Running) -> u32 {
    let children = format!("/proc/{0}/task/{0}/children", running.id());
    let children = fs::read_to_string(children).expect("a process has a list of children");
    children
        .split_whitespace()
        .next()
        .and_then(|child| child.parse().ok())
        .expect("the command has parted in two")
}

/// Its open descriptors, and its resident memory in KiB.
fn held_by(process: u32) -> (usize, u64) {
    let descriptors = fs::read_dir(format!("/proc/{process}/fd")).map_or(0, Iterator::count);
    let status = fs::read_to_string(format!("/proc/{process}/status")).expect("a process has a status");
    let memory =
        status.lines().find_map(|line| line.strip_prefix("VmRSS:")?.trim().strip_suffix(" kB")?.parse().ok());
    (descriptors, memory.expect("a process has memory"))
}

#[test]
fn a_member_killed_with_a_thousand_connections_leaves_nothing_behind() {
    if !peer("python3") {
        return;
    }
    let nets = Nets::new();
    let mut owner = nets.who(&["--name", "web"], &["hold", "80"]);
    owner.line("ready");
    let mut bystander = nets.who(&["--name", "bystander"], &["crowd", "web.lab.ieum", "80", "1"]);
    bystander.line("open");
    // A connection is open before it is accepted, and only then has a descriptor of its own.
    owner.line("1 held");
    let server = server_of(&owner);
    let mut rounds = Vec::new();
    let (descriptors, _) = held_by(server);
    for round in 0..3 {
        let mut member = nets.who(&[], &["crowd", "web.lab.ieum", "80", "1000"]);
        member.line("open");
        owner.line("1001 held");
        member.signal(Signal::KILL);
        assert_eq!(member.finish().code, 128 + 9);
        // The program hears of every connection's end; only the bystander is left. It closes its descriptors, of which
        // ieum then hears in its turn.
        owner.line("1 left");
        while is_root() && held_by(server).0 > descriptors {
            owner.look_on("descriptors are given back");
        }
        let (_, memory) = held_by(server);
        rounds.push(memory);
        // The others live.
        let name = format!("late-{round}");
        let mut late = nets.who(&["--name", &name], &["crowd", "web.lab.ieum", "80", "1"]);
        late.line("open");
        late.signal(Signal::KILL);
        owner.line("1 left");
    }
    let [memory, .., memory_later] = rounds[..] else { panic!("three rounds") };
    assert!(memory_later < memory + 4096, "{memory} KiB, later {memory_later}");
    owner.signal(Signal::KILL);
    assert_eq!(bystander.line("ended"), "ended ECONNRESET 1");
}

#[test]
fn an_ordinary_user_has_nets_of_its_own_which_nobody_else_enters() {
    if !peer("python3") {
        return;
    }
    let Some(user) = User::new() else { return };
    let program = user.bring(&script("who.py"), "who.py");
    let (python, runtime) = (path_of("python3"), user.home().file("runtime"));
    user.start(&user.words(&["mkdir", "-m", "700", &runtime])).finish().success();
    let start = |words: &[&str]| {
        let words = user.ieum(&["--net", "own"], &[&[python.as_str(), &program], words].concat());
        Running::start_with(&words, |command| command.env("XDG_RUNTIME_DIR", &runtime).current_dir(&runtime))
    };
    let mut server = start(&["serve", "80", "1"]);
    server.line("ready");
    let socket = user.home().file("runtime/ieum/nets/own");
    assert!(Path::new(&socket).exists(), "the control socket is in the user's directory");
    if is_root() {
        // Root can open it, and is hung up on.
        use rustix::net::{
            AddressFamily, RecvFlags, SocketAddrUnix, SocketType, connect, recv, send, socket as new,
        };
        let stranger = new(AddressFamily::UNIX, SocketType::SEQPACKET, None).expect("a socket is made");
        connect(&stranger, &SocketAddrUnix::new(&socket).expect("a path")).expect("root may connect");
        let _ =
            send(&stranger, br#"{"Join":{"name":null,"addresses":[]}}"#, rustix::net::SendFlags::NOSIGNAL);
        let mut answer = [0; 100];
        let heard = recv(&stranger, &mut answer[..], RecvFlags::empty()).map_or(0, |(count, _)| count);
        assert_eq!(heard, 0, "{}", String::from_utf8_lossy(&answer));
    }
    assert_eq!(start(&["ask", "10.77.0.2", "80"]).finish().success(), "you are 10.77.0.3\n");
    assert_eq!(server.finish().code, 0);
}

#[test]
fn hosts_of_a_net_answer_each_others_pings() {
    if !peers(&["python3", "ping"]) {
        return;
    }
    let nets = Nets::new();
    let mut server = nets.who(&["--name", "web"], &["serve", "80", "1"]);
    server.line("ready");
    for address in ["10.77.0.2", "fd77::2", "web.lab.ieum"] {
        let printed = nets.run(&[], &["ping", "-n", "-c", "2", "-i", "0.2", address]).finish().success();
        assert!(printed.contains(" 0% packet loss"), "{printed}");
    }
    nets.ask(&[], "10.77.0.2");
    assert_eq!(server.finish().code, 0);
}

#[test]
fn a_capture_shows_both_links() {
    if !peers(&["python3", "tshark"]) {
        return;
    }
    let nets = Nets::new();
    let mut server = nets.who(&["--name", "web"], &["serve", "80", "1"]);
    server.line("ready");
    let file = nets.0.file("both.pcapng");
    assert_eq!(nets.ask(&["--capture", &file], "web.lab.ieum"), "you are fd77::3\n");
    let words =
        ["tshark", "-n", "-r", &file, "-T", "fields", "-e", "frame.interface_name", "-e", "_ws.col.Protocol"];
    let printed = Running::start(&words).finish().success();
    let on = |link: &str, protocol: &str| printed.lines().any(|line| line == format!("{link}\t{protocol}"));
    assert!(on("link", "DNS") && on("net", "TCP"), "{printed}");
    assert!(!on("link", "TCP") && !on("net", "DNS"), "{printed}");
}
