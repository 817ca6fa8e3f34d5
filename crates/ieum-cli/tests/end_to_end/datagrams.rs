//! `--udp namespace`: datagram sockets of the kernel, in a namespace that leads to the host alone.

use std::fs;
use std::net::{Ipv4Addr, UdpSocket};
use std::os::fd::OwnedFd;
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open};

use super::support::{Folder, Running, Runtime, ieum, is_root, namespaces, path_of, peer, peers, script};

/// No wait of a test is longer.
const PATIENCE: Duration = Duration::from_secs(120);

/// Whether this machine gives namespaces for datagrams to whoever runs the tests. If not, says so.
pub(crate) fn gives_namespaces() -> bool {
    if !peer("python3") {
        return false;
    }
    let tried = Running::start(&ieum(&["--udp", "namespace"], &["true"])).finish();
    if tried.code != 0 {
        assert!(!is_root() || std::env::var_os("CI").is_none(), "{}", tried.stderr);
        println!("this machine gives no namespace, so this test proves nothing: {}", tried.stderr);
    }
    tried.code == 0
}

/// The words of a program that sends and hears as it is told.
fn obedient<'a>(python: &'a str, program: &'a str) -> [&'a str; 2] {
    [python, program]
}

/// Tells a program to do something, which it does.
fn tell(running: &mut Running, line: &str) {
    running.tell(line);
    running.line("done");
}

/// A socket of the machine that waits for an answer no longer than a test.
fn of_machine() -> (UdpSocket, u16) {
    let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port is bound");
    socket.set_read_timeout(Some(PATIENCE)).expect("a wait is bounded");
    let port = socket.local_addr().expect("a bound socket has a name").port();
    (socket, port)
}

#[test]
fn datagrams_cross_within_the_host_and_through_its_exit() {
    if !gives_namespaces() {
        return;
    }
    let (python, program) = (path_of("python3"), script("echo_udp.py"));
    let flags = ["--udp", "namespace", "-v"];
    let both = Running::start(&ieum(&flags, &[&python, &program, "both", "200"])).finish();
    assert!(both.stderr.contains("datagrams are the kernel's"), "{}", both.stderr);
    assert_eq!(both.code, 0, "{both:?}");

    let (machine, port) = of_machine();
    let program = script("datagrams.py");
    let mut inside = Running::start(&ieum(&["--udp", "namespace"], &obedient(&python, &program)));
    inside.line("ready");
    tell(&mut inside, &format!("send 10.77.0.1 {port} question"));
    let mut heard = [0; 100];
    let (count, from) = machine.recv_from(&mut heard).expect("it comes out of the exit");
    assert_eq!(&heard[..count], b"question");
    machine.send_to(b"answer", from).expect("it is answered");
    inside.tell("hear");
    assert_eq!(inside.line("heard"), "heard answer from 10.77.0.1");
}

#[test]
fn large_datagrams_cross_whole() {
    if !gives_namespaces() {
        return;
    }
    let (machine, port) = of_machine();
    let echo = std::thread::spawn(move || {
        let mut heard = vec![0; 65_536];
        let (count, from) = machine.recv_from(&mut heard).expect("it comes out of the exit");
        machine.send_to(&heard[..count], from).expect("it is answered");
    });
    let ask = "import socket, sys; own = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); \
               word = bytes(range(256)) * 234; own.sendto(word, ('10.77.0.1', int(sys.argv[1]))); \
               print(own.recv(65536) == word)";
    let python = path_of("python3");
    let words = [python.as_str(), "-c", ask, &port.to_string()];
    let answered = Running::start(&ieum(&["--udp", "namespace"], &words)).finish().success();
    assert_eq!(answered, "True\n");
    echo.join().expect("the machine has answered");
}

#[test]
fn a_refusal_of_the_machine_is_heard_inside() {
    if !gives_namespaces() {
        return;
    }
    let (machine, port) = of_machine();
    drop(machine);
    let (python, program) = (path_of("python3"), script("datagrams.py"));
    let mut inside = Running::start(&ieum(&["--udp", "namespace"], &obedient(&python, &program)));
    inside.line("ready");
    tell(&mut inside, &format!("connect 10.77.0.1 {port}"));
    tell(&mut inside, "say anybody");
    inside.tell("error");
    assert_eq!(inside.line("error"), "error ECONNREFUSED");
}

#[test]
fn a_host_outside_that_is_not_there_is_told_inside() {
    if !peer("python3") {
        return;
    }
    let Some(namespaces) = namespaces() else { return };
    let python = path_of("python3");
    // SO_ERROR has it when poll says that there is an error: for who asked to hear of all (IP_RECVERR, IPV6_RECVERR).
    let ask = "import errno, select, socket, sys
for family, level, option, to in ((socket.AF_INET, socket.IPPROTO_IP, 11, '192.0.2.9'),
                                  (socket.AF_INET6, socket.IPPROTO_IPV6, 25, '2001:db8::9')):
    if ':' in to and sys.argv[1] == 'only4':
        continue
    own = socket.socket(family, socket.SOCK_DGRAM)
    own.setsockopt(level, option, 1)
    own.connect((to, 53))
    own.send(b'anybody')
    waits = select.poll()
    waits.register(own, select.POLLIN)
    waits.poll()
    print(errno.errorcode[own.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)])
";
    // A link on which nobody else is: its kernel asks for the address in vain.
    let begin = "ip link set lo up; ip link add outside type veth peer name far; ip address add 192.0.2.1/24 dev outside; \
        known=both; ip address add 2001:db8::1/64 dev outside nodad || known=only4; \
        ip link set outside up; ip link set far up; exec \"$@\" $known";
    for way in ["carrier", "auto"] {
        let words = ieum(&["--udp", way], &[&python, "-c", ask]);
        let own = [&namespaces[..], &["sh", "-c", begin, "sh"]].concat();
        let told = Running::start(&[&own[..], &words].concat()).finish().success();
        assert!(told.lines().count() > 0 && told.lines().all(|line| line == "EHOSTUNREACH"), "{way}: {told}");
    }
}

#[test]
fn nobody_joins_the_namespace_to_another() {
    if !gives_namespaces() {
        return;
    }
    // A new interface (RTM_NEWLINK, IFLA_INFO_KIND dummy) is asked for by calls that bear addresses longer than
    // netlink's and by plain ones; and the descriptor of a socket's namespace (SIOCGSKNS).
    let program = "import ctypes, errno, fcntl, os, socket, struct
libc = ctypes.CDLL(None, use_errno=True)
def attribute(kind, value):
    return (struct.pack('=HH', 4 + len(value), kind) + value).ljust((len(value) + 7) // 4 * 4, b'\\0')
body = struct.pack('=BxHiII', 0, 0, 0, 0, 0) + attribute(18, attribute(1, b'dummy'))
request = struct.pack('=IHHII', 16 + len(body), 16, 0x605, 1, 0) + body
kernel = struct.pack('=HHII', socket.AF_NETLINK, 0, 0, 0)
asks = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 0)
for length in (0, 12, 16, 28):
    address = kernel.ljust(28, b'\\0') if length else None
    libc.sendto(asks.fileno(), request, len(request), 0, address, length)
    told = asks.recv(4096)
    print(length, struct.unpack_from('=i', told, 16)[0])
asks.sendmsg([request], [], 0, (0, 0))
print('sendmsg', struct.unpack_from('=i', asks.recv(4096), 16)[0])
try:
    fcntl.ioctl(socket.socket(socket.AF_INET, socket.SOCK_DGRAM), 0x894c)
except OSError as error:
    print('namespace', errno.errorcode[error.errno])
print(len(socket.if_nameindex()), 'interfaces')";
    let run = ieum(&["--udp", "namespace", "--no-exit"], &["python3", "-c", program]);
    let said = Running::start(&run).finish().success();
    let refused = "0 -1\n12 -1\n16 -1\n28 -1\nsendmsg -1\nnamespace EPERM\n2 interfaces\n";
    assert_eq!(said, refused, "EPERM is 1");
}

#[test]
fn the_namespace_reaches_nothing_of_the_machine() {
    if !gives_namespaces() {
        return;
    }
    let (machine, port) = of_machine();
    machine.set_nonblocking(true).expect("it can be asked without waiting");
    let (python, program) = (path_of("python3"), script("datagrams.py"));
    let flags = ["--udp", "namespace", "--no-exit"];
    let mut inside = Running::start(&ieum(&flags, &obedient(&python, &program)));
    inside.line("ready");
    // The machine's socket is at this address and port; here nobody is.
    tell(&mut inside, &format!("connect 127.0.0.1 {port}"));
    tell(&mut inside, "say anybody");
    inside.tell("error");
    assert_eq!(inside.line("error"), "error ECONNREFUSED");
    let heard = machine.recv(&mut [0; 100]).expect_err("nothing came");
    assert_eq!(heard.kind(), std::io::ErrorKind::WouldBlock);
    tell(&mut inside, "close");
    for (address, error) in [("10.77.0.1", "EHOSTUNREACH"), ("192.0.2.1", "ENETUNREACH")] {
        inside.tell(&format!("send {address} 9 anybody"));
        assert_eq!(inside.line("E"), error, "{address}");
    }
}

#[test]
fn its_interfaces_are_the_host_s_and_nobody_changes_them() {
    if !gives_namespaces() || !peer("ip") {
        return;
    }
    let run = |words: &[&str]| Running::start(&ieum(&["--udp", "namespace"], words)).finish();
    let links = run(&["ip", "-o", "link"]).success();
    let names: Vec<&str> = links.lines().filter_map(|line| line.split(": ").nth(1)).collect();
    assert_eq!(names, ["lo", "eth0"]);
    let addresses = run(&["ip", "-o", "address"]).success();
    assert!(addresses.contains("inet 10.77.0.2/24") && addresses.contains("inet6 fd77::2/64"), "{addresses}");
    for words in [
        ["ip", "link", "set", "eth0", "down"].as_slice(),
        ["ip", "address", "add", "192.0.2.1/24", "dev", "eth0"].as_slice(),
        ["ip", "route", "add", "unreachable", "198.51.100.0/24"].as_slice(),
    ] {
        let refused = run(words);
        assert_ne!(refused.code, 0);
        assert!(refused.stderr.contains("Operation not permitted"), "{}", refused.stderr);
    }
    let (python, program) = (path_of("python3"), script("datagrams.py"));
    let mut inside = Running::start(&ieum(&["--udp", "namespace"], &obedient(&python, &program)));
    inside.line("ready");
    tell(&mut inside, "bind 0.0.0.0 53");
    inside.tell("mark");
    assert_eq!(inside.line("E"), "EPERM");
}

#[test]
fn a_published_port_leads_to_the_namespace_while_somebody_is_bound_there() {
    if !gives_namespaces() {
        return;
    }
    let (python, program) = (path_of("python3"), script("datagrams.py"));
    let flags = ["--udp", "namespace", "-p", "0:53/udp"];
    let mut inside = Running::start(&ieum(&flags, &obedient(&python, &program)));
    let address = inside.published();
    inside.line("ready");
    let (client, _) = of_machine();
    client.connect(address).expect("a remote is chosen");
    let mut heard = [0; 100];
    for _ in 0..2 {
        tell(&mut inside, "bind 0.0.0.0 53");
        inside.tell("answer");
        client.send(b"question").expect("it is sent");
        assert_eq!(client.recv(&mut heard).expect("it is answered"), 8);
        inside.line("done");
        tell(&mut inside, "close");
        // Nobody tells when it is noticed: a refusal does.
        loop {
            match client.send(b"anybody").and_then(|_| {
                client.set_read_timeout(Some(Duration::from_millis(20)))?;
                client.recv(&mut heard)
            }) {
                Err(error) if error.kind() == std::io::ErrorKind::ConnectionRefused => break,
                Ok(_) | Err(_) => inside.look_on("the port is closed"),
            }
        }
        client.set_read_timeout(Some(PATIENCE)).expect("a wait is bounded");
    }
}

#[test]
fn the_sockets_of_a_namespace_are_shown_with_who_holds_them() {
    if !gives_namespaces() {
        return;
    }
    let here = Runtime::new();
    let (python, program) = (path_of("python3"), script("datagrams.py"));
    let flags = ["--udp", "namespace", "--name", "shown"];
    let mut inside = here.run(&flags, &obedient(&python, &program));
    inside.line("ready");
    tell(&mut inside, "bind 127.0.0.1 5353");
    let shown = here.ss(&["--in", "shown"]);
    let line = shown.lines().find(|line| line.contains("127.0.0.1:5353"));
    let line = line.unwrap_or_else(|| panic!("no such line: {shown}"));
    assert!(line.contains("udp") && line.contains("UNCONN") && line.contains("python3"), "{line}");
}

#[test]
fn hosts_of_a_net_and_guests_of_a_host_speak_by_their_namespaces() {
    if !gives_namespaces() {
        return;
    }
    let here = Runtime::new();
    let (python, program) = (path_of("python3"), script("datagrams.py"));
    let run = |flags: &[&str]| {
        let mut running = here.run(flags, &obedient(&python, &program));
        running.line("ready");
        running
    };
    let mut one = run(&["--udp", "namespace", "--net", "lab", "--name", "one"]);
    let mut other = run(&["--udp", "namespace", "--net", "lab", "--name", "other"]);
    tell(&mut one, "bind 0.0.0.0 7000");
    tell(&mut other, "send 10.77.0.2 7000 across");
    one.tell("hear");
    assert_eq!(one.line("heard"), "heard across from 10.77.0.3");
    // One by carriers is on the same net.
    let mut third = run(&["--udp", "carrier", "--net", "lab", "--name", "third"]);
    tell(&mut third, "send 10.77.0.2 7000 beside");
    one.tell("hear");
    assert_eq!(one.line("heard"), "heard beside from 10.77.0.4");

    let mut guest = run(&["--in", "one"]);
    tell(&mut guest, "send 127.0.0.1 7000 within");
    one.tell("hear");
    assert_eq!(one.line("heard"), "heard within from 127.0.0.1");
}

#[test]
fn streams_are_served_beside_datagrams_of_the_kernel() {
    if !gives_namespaces() {
        return;
    }
    let (python, echo) = (path_of("python3"), script("echo_asyncio.py"));
    let flags = ["--udp", "namespace", "-p", "0:7"];
    let mut server = Running::start(&ieum(&flags, &[&python, &echo, "serve", "0.0.0.0", "7"]));
    let address = server.published();
    let mut connection = server.connect(address);
    std::io::Write::write_all(&mut connection, b"there and back").expect("bytes are sent");
    connection.shutdown(std::net::Shutdown::Write).expect("this end finishes");
    let received = std::io::read_to_string(connection).expect("bytes come back");
    assert_eq!(received, "there and back");
}

/// The process that makes the sockets of a run whose command line has `mark` in it: nobody's child any more.
fn helper_of(run: &Running, mark: &str) -> i32 {
    let marked = |process: &i32| {
        let words = fs::read(format!("/proc/{process}/cmdline")).unwrap_or_default();
        let words = String::from_utf8_lossy(&words).into_owned();
        words.contains(mark) && words.contains("namespace")
    };
    let all = fs::read_dir("/proc").expect("processes are listed");
    let numbers = all.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok());
    let others: Vec<i32> =
        numbers.filter(marked).filter(|process| u32::try_from(*process) != Ok(run.id())).collect();
    assert_eq!(others.len(), 1, "one helper: {others:?}");
    others[0]
}

#[test]
fn the_helper_is_gone_when_ieum_is_killed() {
    if !gives_namespaces() {
        return;
    }
    let folder = Folder::new();
    let mark = folder.file("mark");
    // The program's own command line is another: `exec` drops the mark.
    let run = ieum(&["--udp", "namespace"], &["sh", "-c", "echo ready; exec cat", &mark]);
    let mut running = Running::start(&run);
    running.line("ready");
    let helper = helper_of(&running, &mark);
    let helper: OwnedFd =
        pidfd_open(Pid::from_raw(helper).expect("a number of a process"), PidfdFlags::empty())
            .expect("it lives");
    running.signal(Signal::KILL);
    let mut ended = [PollFd::new(&helper, PollFlags::IN)];
    let longest = Timespec::try_from(PATIENCE).expect("two minutes are a time");
    assert_eq!(poll(&mut ended, Some(&longest)), Ok(1), "the helper outlives ieum");
}

#[test]
fn where_there_is_no_tun_a_veth_pair_leads_to_the_host() {
    if !gives_namespaces() || !peer("unshare") {
        return;
    }
    let (machine, port) = of_machine();
    let echo = std::thread::spawn(move || {
        let mut heard = vec![0; 65_536];
        for _ in 0..3 {
            let (count, from) = machine.recv_from(&mut heard).expect("it comes out of the exit");
            machine.send_to(&heard[..count], from).expect("it is answered");
        }
    });
    // A small datagram, one in fragments, and one of two that leave as one (UDP_SEGMENT; the second is short).
    let ask = "import socket, struct, sys; own = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
to = ('10.77.0.1', int(sys.argv[1])); word = bytes(range(256)) * 234
for size in (1, 59904):
    own.sendto(word[:size], to)
    print(own.recv(65536) == word[:size])
own.sendmsg([word[:1001]], [(socket.IPPROTO_UDP, 103, struct.pack('=H', 1000))], 0, to)
print(len(own.recv(65536)))";
    let python = path_of("python3");
    let begin = "[ ! -d /dev/net ] || mount -t tmpfs tmpfs /dev/net; exec \"$@\"";
    let own = ["unshare", "--user", "--map-root-user", "--mount", "sh", "-ec", begin, "sh"];
    let port = port.to_string();
    let words = ieum(&["--udp", "namespace", "-v"], &[&python, "-c", ask, &port]);
    let finished = Running::start(&[&own[..], &words].concat()).finish();
    assert!(finished.stderr.contains("in a namespace of the host's (veth)"), "{}", finished.stderr);
    assert_eq!(finished.success(), "True\nTrue\n1000\n");
    echo.join().expect("the machine has answered");
}

#[test]
fn where_there_are_no_user_namespaces_carriers_stand_for_them() {
    if !peer("python3") {
        return;
    }
    let Some(_) = namespaces() else { return };
    let (python, program) = (path_of("python3"), script("echo_udp.py"));
    let within = |flags: &[&str], program: &[&str]| {
        let begin = "echo 0 >/proc/sys/user/max_user_namespaces && exec \"$@\"";
        let own = ["unshare", "--user", "--map-root-user", "sh", "-ec", begin, "sh"];
        Running::start(&[&own[..], &ieum(flags, program)].concat()).finish()
    };
    let both = [python.as_str(), &program, "both", "20"];
    let by_carriers = within(&["--udp", "auto", "-v"], &both);
    assert_eq!(by_carriers.code, 0, "{by_carriers:?}");
    let said = "datagrams go by carriers: this machine gives no user namespace";
    assert!(by_carriers.stderr.contains(said), "{}", by_carriers.stderr);

    let refused = within(&["--udp", "namespace"], &both);
    assert_eq!(refused.code, 125);
    assert!(refused.stderr.contains("no user namespace") && refused.stderr.contains("--udp carrier"));
    assert_eq!(refused.stderr.lines().count(), 1, "{}", refused.stderr);
}

#[test]
fn raw_sockets_want_carriers() {
    if !peers(&["python3"]) {
        return;
    }
    let refused = Running::start(&ieum(&["--udp", "namespace", "--raw"], &["true"])).finish();
    assert_eq!((refused.code, refused.stderr.lines().count()), (125, 1), "{}", refused.stderr);
    let said = Running::start(&ieum(&["--udp", "auto", "--raw", "-v"], &["true"])).finish();
    assert!(said.stderr.contains("datagrams go by carriers: raw sockets"), "{}", said.stderr);
}
