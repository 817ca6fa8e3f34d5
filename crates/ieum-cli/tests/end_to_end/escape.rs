//! What a program under `ieum run` cannot do by any system call, and what other users of the machine cannot do to it. Each
//! sentence of docs/SECURITY.md that says "cannot" is one of these.

use std::io::{Read, Write};
use std::net::UdpSocket;

use rustix::process::{Pid, Signal, kill_process};

use super::support::{Folder, Running, User, compiled, is_root, path_of, peers, script, server_of};

/// The first Landlock interface with network rights (Linux 6.7).
const LANDLOCK_OF_NETWORK: i64 = 4;
/// A second ordinary user.
const STRANGER: u32 = 54_322;

/// The ways out that are open, of a program which tries them all, and the kernel's Landlock interface.
fn ways_out(user: &User, datagrams: &str) -> (Vec<String>, i64) {
    let (folder, python) = (Folder::new(), path_of("python3"));
    let (escape, program) = (compiled("escape", &folder), user.bring(&script("outside.py"), "outside.py"));
    let mut outside = user.start(&user.words(&[&python, &program, "listen"]));
    let line = outside.line("outside ");
    let numbers: Vec<&str> = line.split_whitespace().skip(1).collect();

    let tried = [&[escape.as_str()], &numbers[..], &["9"]].concat();
    let ieum = user.home().file("ieum");
    let words = user.words(
        &[&[python.as_str(), &program, "pass", &ieum, "run", "--udp", datagrams, "--"], &tried[..]].concat(),
    );
    let printed = user.start(&words).finish().success();
    let landlock = printed.lines().find_map(|line| line.strip_prefix("landlock ")?.parse().ok());
    let open: Vec<String> =
        printed.lines().filter(|line| line.starts_with("OPEN ")).map(str::to_owned).collect();
    let closed = printed.lines().filter(|line| line.starts_with("closed ")).count();
    assert!(closed > 700, "not every way was tried: {printed}");
    (open, landlock.expect("the kernel's Landlock interface is told"))
}

#[test]
fn no_system_call_of_an_ordinary_user_s_program_leads_to_the_machine_s_network() {
    if !peers(&["gcc", "python3"]) {
        return;
    }
    let Some(user) = User::new() else { return };
    for datagrams in ["auto", "carrier"] {
        let (mut open, landlock) = ways_out(&user, datagrams);
        if landlock < LANDLOCK_OF_NETWORK {
            // Older kernels let processes of one user trace each other, unless Yama forbids it, and inherited sockets
            // connect. docs/SECURITY.md says so.
            open.retain(|way| !way.starts_with("OPEN outside-") && !way.starts_with("OPEN inherited-"));
        }
        assert_eq!(open, Vec::<String>::new(), "{datagrams}");
    }
}

#[test]
fn another_user_of_the_machine_reaches_no_socket_of_a_program() {
    if !peers(&["python3"]) || !is_root() {
        println!("only root can be two other users: this test proves nothing");
        return;
    }
    let (Some(user), Some(stranger)) = (User::new(), User::with_id(STRANGER)) else { return };
    let python = path_of("python3");
    let (victim, intruder) = (
        user.bring(&script("victim.py"), "victim.py"),
        stranger.bring(&script("intruder.py"), "intruder.py"),
    );
    // Datagram sockets of the kernel's are in a namespace, where a stranger finds nothing at all.
    let flags = ["--udp", "carrier", "-p", "0:80", "-p", "0:53/udp"];
    let mut victim = user.start(&user.ieum(&flags, &[&python, &victim]));
    let (streams, datagrams) = (victim.published(), victim.published());
    victim.line("ready");
    let mut intruder = stranger.start(&stranger.words(&[&python, &intruder, &own_sockets(&victim)]));
    let got_rid = intruder.line("intruder ");
    let numbers: Vec<u32> = got_rid.split_whitespace().skip(1).filter_map(|word| word.parse().ok()).collect();
    assert!(numbers.len() == 3 && numbers.iter().all(|count| *count > 0), "nothing was tried: {got_rid}");

    // What comes in order comes, behind what the intruder put into the queues.
    let mut connection = victim.connect(streams);
    connection.write_all(b"friend").expect("a word is sent");
    connection.read_to_end(&mut Vec::new()).expect("the connection ends in order");
    assert!(victim.line("stream ").starts_with("stream friend "), "a stranger's connection was accepted");
    // The queue in which its own connections wait for their far ends is full of strangers.
    victim.line("connected");
    let socket = UdpSocket::bind("127.0.0.1:0").expect("a free port is bound");
    socket.send_to(b"friend", datagrams).expect("a datagram is sent");
    assert!(victim.line("datagram ").starts_with("datagram friend "), "a stranger's datagram was received");
    assert!(!victim.printed().contains("intruder"), "{}", victim.printed());
    drop(intruder);
}

/// The inodes of the sockets of an ieum's own process: strangers are told which of several runs is meant.
fn own_sockets(running: &Running) -> String {
    let descriptors = std::fs::read_dir(format!("/proc/{}/fd", running.id())).expect("ieum runs");
    let targets = descriptors.flatten().filter_map(|entry| std::fs::read_link(entry.path()).ok());
    let inodes = targets
        .filter_map(|target| Some(target.to_str()?.strip_prefix("socket:[")?.strip_suffix(']')?.to_owned()));
    inodes.collect::<Vec<_>>().join(",")
}

/// Serves at port 80 until it is told to close, and stays.
const CLOSES_ITS_LISTENER: &str = "import socket
listener = socket.create_server(('0.0.0.0', 80))
print('ready', flush=True)
input()
listener.close()
print('closed', flush=True)
input()";

#[test]
fn another_user_of_the_machine_takes_no_port_that_a_program_gives_up() {
    if !peers(&["python3"]) || !is_root() {
        println!("only root can be two other users: this test proves nothing");
        return;
    }
    let (Some(user), Some(stranger)) = (User::new(), User::with_id(STRANGER)) else { return };
    let python = path_of("python3");
    let heir = stranger.bring(&script("intruder.py"), "intruder.py");
    let mut victim = user.start(&user.ieum(&["-p", "0:80"], &[&python, "-c", CLOSES_ITS_LISTENER]));
    let published = victim.published();
    victim.line("ready");
    let mut heir = stranger.start(&stranger.words(&[&python, &heir, &own_sockets(&victim), "heir"]));
    heir.line("waits 1");
    victim.tell("");
    victim.line("closed");
    heir.line("listens");
    victim.refused(published);
    heir.tell("");
    assert_eq!(heir.finish().success().lines().last(), Some("heard 0"));
}

/// Calls the host of a path, several times over, and says how the last call was answered.
const CALLS_A_HOST: &str = "import socket, sys
callers = [socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) for _ in range(int(sys.argv[2]))]
try:
    for caller in callers:
        caller.connect(sys.argv[1])
    callers[-1].send(b'\"Sockets\"')
    print('called', flush=True)
    print('answered' if callers[-1].recv(65536) else 'hung up')
except (BrokenPipeError, ConnectionResetError):
    print('hung up')";

#[test]
fn a_program_is_not_heard_by_the_other_hosts_of_its_user() {
    if !peers(&["python3"]) {
        return;
    }
    let Some(user) = User::new() else { return };
    let run = user.folder("run");
    let start = |words: &[String]| Running::start_with(words, |command| command.env("XDG_RUNTIME_DIR", &run));
    let mut owner = start(&user.ieum(&["--name", "alone"], &["sh"]));
    owner.tell("echo ready");
    owner.line("ready");
    // Its user is heard.
    let ieum = user.home().file("ieum");
    start(&user.words(&[&ieum, "ss", "--in", "alone"])).finish().success();
    let (python, host) = (path_of("python3"), user.home().file("run/ieum/hosts/alone"));
    let words = user.ieum(&["--no-exit"], &[&python, "-c", CALLS_A_HOST, &host, "1"]);
    let printed = start(&words).finish().success();
    assert!(printed.ends_with("hung up\n"), "{printed}");

    // Nor does it keep others from being heard: these stand behind it in the queue of a host that is held up.
    let server = Pid::from_raw(server_of(&owner)).expect("a process has a number");
    kill_process(server, Signal::STOP).expect("a process can be stopped");
    let mut program = start(&user.ieum(&["--no-exit"], &[&python, "-c", CALLS_A_HOST, &host, "40"]));
    program.line("called");
    let mut friend = start(&user.words(&[&python, "-c", CALLS_A_HOST, &host, "1"]));
    friend.line("called");
    kill_process(server, Signal::CONT).expect("a process goes on");
    friend.line("answered");
    program.line("hung up");
}

/// The lines of a process's status that begin with one of `names`.
fn status(process: u32, names: &[&str]) -> Vec<(String, String)> {
    let text = std::fs::read_to_string(format!("/proc/{process}/status")).expect("a process has a status");
    text.lines()
        .filter_map(|line| line.split_once(":\t"))
        .filter(|(name, _)| names.contains(name))
        .map(|(name, value)| (name.to_owned(), value.trim().to_owned()))
        .collect()
}

/// A program that was served a socket, so that ieum has begun to serve.
fn served(words: &[String], user: &User) -> Running {
    let mut running = user.start(words);
    running.line("ready");
    running
}

const ASKS_FOR_A_SOCKET: &str = "import socket; socket.socket(); print('ready', flush=True); input()";

#[test]
fn ieum_s_own_process_has_given_up_new_privileges_and_calls_it_does_not_need() {
    if !peers(&["python3"]) {
        return;
    }
    let Some(user) = User::new() else { return };
    let running = served(&user.ieum(&[], &[&path_of("python3"), "-c", ASKS_FOR_A_SOCKET]), &user);
    let found = status(running.id(), &["NoNewPrivs", "Seccomp", "CapEff", "CapPrm"]);
    let wanted = [
        ("CapPrm", "0000000000000000"),
        ("CapEff", "0000000000000000"),
        ("NoNewPrivs", "1"),
        ("Seccomp", "2"),
    ];
    assert_eq!(found, wanted.map(|(name, value)| (name.to_owned(), value.to_owned())));

    // Not even its own user reads what it has in memory, or takes its descriptors.
    for file in ["mem", "fd/0", "environ"] {
        let words = user.words(&["head", "-c", "1", &format!("/proc/{}/{file}", running.id())]);
        let finished = user.start(&words).finish();
        assert!(finished.code != 0 && finished.stderr.contains("Permission denied"), "{finished:?}");
    }
}

#[test]
fn root_s_ieum_keeps_the_capabilities_that_it_uses_and_no_others() {
    if !is_root() || !peers(&["python3"]) {
        println!("only root has capabilities to give up: this test proves nothing");
        return;
    }
    let mut running =
        Running::start(&super::support::ieum(&[], &[&path_of("python3"), "-c", ASKS_FOR_A_SOCKET]));
    running.line("ready");
    for (name, value) in status(running.id(), &["CapEff", "CapPrm", "CapInh"]) {
        let held = u64::from_str_radix(&value, 16).expect("capabilities are a hexadecimal number");
        // DAC_READ_SEARCH, KILL, NET_BIND_SERVICE, NET_ADMIN, SYS_PTRACE.
        let kept = 1 << 2 | 1 << 5 | 1 << 10 | 1 << 12 | 1 << 19;
        assert_eq!(held & !kept, 0, "{name} {value}");
    }
}

#[test]
fn a_program_that_wants_its_memory_hidden_is_served_all_the_same() {
    if !peers(&["python3"]) {
        return;
    }
    let Some(user) = User::new() else { return };
    // PR_SET_DUMPABLE is 4.
    let program = "import ctypes, socket; assert ctypes.CDLL(None).prctl(4, 0, 0, 0, 0) == 0
service = socket.create_server(('127.0.0.1', 80))
client = socket.create_connection(('127.0.0.1', 80))
print(service.accept()[1] == client.getsockname())";
    let words = user.ieum(&[], &[&path_of("python3"), "-c", program]);
    assert_eq!(user.start(&words).finish().success(), "True\n");
}

#[test]
fn a_program_whose_file_cannot_be_read_is_told_why_it_gets_no_sockets() {
    use std::os::unix::fs::{PermissionsExt, chown};
    if !is_root() || !peers(&["curl"]) {
        println!(
            "only root can make a file that its user executes and cannot read: this test proves nothing"
        );
        return;
    }
    let Some(user) = User::new() else { return };
    let curl = user.bring(&path_of("curl"), "curl");
    chown(&curl, Some(0), Some(0)).expect("a file is given away");
    std::fs::set_permissions(&curl, std::fs::Permissions::from_mode(0o711)).expect("a mode is set");
    let finished = user.start(&user.ieum(&[], &[&curl, "-sS", "http://10.77.0.1:1/"])).finish();
    assert_eq!(finished.code, 7, "{finished:?}");
    let said = finished.stderr.lines().filter(|line| line.starts_with("ieum: process ")).count();
    assert!(said == 1 && finished.stderr.contains("(curl) gets no sockets"), "{finished:?}");
}
