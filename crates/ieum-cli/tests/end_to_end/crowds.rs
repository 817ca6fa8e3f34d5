//! Servers with very many connections open at once, and servers and ieum itself at their limits of open files.

use super::support::{Folder, Running, compiled, ieum, path_of, peer, peers, script};

/// Connections that are open at once, each a descriptor of two programs and two of ieum's.
const CROWD: u64 = 5000;

/// As many as this machine's limit of open files allows.
fn crowd() -> String {
    use rustix::process::{Resource, getrlimit};
    let files = getrlimit(Resource::Nofile).maximum.unwrap_or(u64::MAX);
    let count = CROWD.min(files.saturating_sub(500) / 3);
    if count < CROWD {
        println!("no more than {count} connections: the hard limit of open files is {files}");
    }
    count.to_string()
}

#[test]
fn five_thousand_connections_to_one_port_open_at_once_each_get_their_own_bytes() {
    if !peer("gcc") {
        return;
    }
    let (folder, count) = (Folder::new(), crowd());
    let program = compiled("crowd", &folder);
    let printed = Running::start(&ieum(&[], &[&program, "both", &count])).finish().success();
    assert_eq!(printed, format!("{count} of {count} connections got their own bytes\n"));
}

#[test]
fn five_thousand_connections_of_the_machine_come_through_a_published_port() {
    if !peer("gcc") {
        return;
    }
    let (folder, count) = (Folder::new(), crowd());
    let program = compiled("crowd", &folder);
    let mut server = Running::start(&ieum(&["-p", "0:7"], &[&program, "serve", "7"]));
    let published = server.published();
    server.line("ready");
    // The port outside opens a moment after the program has been told that it listens.
    drop(server.connect(published));
    let port = published.port().to_string();
    let printed = Running::start(&[&program, "call", "127.0.0.1", &port, &count]).finish().success();
    assert_eq!(printed, format!("{count} of {count} connections got their own bytes\n"));
}

#[test]
fn a_server_at_its_limit_of_open_files_lives_on_and_serves_everybody() {
    if !peer("gcc") {
        return;
    }
    let folder = Folder::new();
    let program = compiled("crowd", &folder);
    let printed = Running::start(&ieum(&[], &[&program, "limit"])).finish().success();
    assert_eq!(printed, "3 refused by the limit, 6 served, each once\n");
}

#[test]
fn programs_outlive_a_moment_when_ieum_has_no_descriptor_left() {
    if !peers(&["gcc", "prlimit"]) {
        return;
    }
    let folder = Folder::new();
    let program = compiled("crowd", &folder);
    let both = format!("{program} both 900; {program} both 100");
    let words = [&["prlimit", "--nofile=1000:1000", "--"][..], &ieum(&[], &["sh", "-c", &both])].concat();
    let printed = Running::start(&words).finish().success();
    // Which call meets the end first depends on the descriptors that ieum itself has inherited.
    let outcomes = ["socket", "connection"]
        .map(|what| format!("crowd: a {what} is made: ENFILE\n100 of 100 connections got their own bytes\n"));
    assert!(outcomes.contains(&printed), "{printed}");
}

#[test]
fn what_a_program_has_just_closed_is_free_when_ieum_has_no_descriptor_left() {
    if !peers(&["python3", "prlimit"]) {
        return;
    }
    let program = "
import errno, socket
def connected(count):
    for _ in range(count):
        one = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        one.connect(('127.0.0.1', 7))
        yield one
held = []
try:
    held.extend(connected(1000))
except OSError as error:
    print(errno.errorcode[error.errno])
count = len(held) - 10
held.clear()
print(len(list(connected(count))) == count > 100)
";
    let ieum = ieum(&["--udp", "carrier"], &["python3", "-c", program]);
    let words = [&["prlimit", "--nofile=1000:1000", "--"][..], &ieum].concat();
    assert_eq!(Running::start(&words).finish().success(), "ENFILE\nTrue\n");
}

#[test]
fn a_connection_that_is_over_is_told_of_while_very_many_others_end() {
    if !peer("python3") {
        return;
    }
    let (python, program) = (path_of("python3"), script("long_over.py"));
    let printed = Running::start(&ieum(&[], &[&python, &program])).finish().success();
    assert_eq!(printed, "kept True 1\n");
}
