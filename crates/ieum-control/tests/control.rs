//! Names, who may call them, and what is said.
#![allow(clippy::unwrap_used, reason = "a test may panic in its helpers as well")]

use std::fs::{self, Permissions};
use std::io::IoSlice;
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use ieum_control::{
    BindError, Channel, ChannelError, DESCRIPTORS_MAX, Directory, DirectoryError, Kind, Listener,
    MESSAGE_BYTES_MAX, Name, Received,
};
use rustix::net::{SendAncillaryBuffer, SendAncillaryMessage, SendFlags, sendmsg};

/// The distribution's own: a version manager's stand-in is closed to other users.
const PYTHON: &str = "/usr/bin/python3";

/// A place for a directory of control sockets, gone when dropped.
struct Place(PathBuf);

impl Place {
    fn new() -> Place {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let name = format!("ieum-control-{}-{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
        Place(std::env::temp_dir().join(name))
    }

    fn directory(&self) -> Directory {
        Directory::at(self.0.clone()).unwrap()
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn name(text: &str) -> Name {
    text.parse().unwrap()
}

/// Somebody who calls, and the end that the listener has of it.
fn call(directory: &Directory, listener: &mut Listener, text: &str) -> (Channel, Channel) {
    let caller = Channel::connect(directory, Kind::Host, &name(text)).unwrap().unwrap();
    (caller, listener.accept().unwrap().unwrap())
}

fn received<M: serde::de::DeserializeOwned>(channel: &Channel) -> M {
    match channel.receive().unwrap() {
        Received::Message(message, _) => message,
        Received::Nothing => panic!("nothing came"),
        Received::End => panic!("the other end is gone"),
    }
}

#[test]
fn messages_come_whole_in_order_and_in_both_directions() {
    let place = Place::new();
    let directory = place.directory();
    let mut listener = Listener::bind(&directory, Kind::Host, &name("a")).unwrap();
    let (caller, callee) = call(&directory, &mut listener, "a");
    assert!(matches!(callee.receive::<String>().unwrap(), Received::Nothing));
    for word in ["one", "two"] {
        caller.send(&word, &[]).unwrap();
    }
    assert_eq!(received::<String>(&callee), "one");
    assert_eq!(received::<String>(&callee), "two");
    callee.send(&7, &[]).unwrap();
    assert_eq!(received::<u32>(&caller), 7);
    assert_eq!(callee.peer_pid(), Some(std::process::id()));
    drop(caller);
    assert!(matches!(callee.receive::<String>().unwrap(), Received::End));
}

#[test]
fn descriptors_come_with_their_message() {
    let (one, other) = Channel::pair().unwrap();
    let folder = fs::File::open("/").unwrap();
    one.send(&"here", &[folder.as_fd(); DESCRIPTORS_MAX]).unwrap();
    let Received::Message(word, descriptors) = other.receive::<String>().unwrap() else { panic!("nothing") };
    assert_eq!((word.as_str(), descriptors.len()), ("here", DESCRIPTORS_MAX));
    let inode = |fd: &dyn AsFd| rustix::fs::fstat(fd.as_fd()).unwrap().st_ino;
    assert_eq!(inode(&descriptors[0]), inode(&folder));
    let too_many = one.send(&"here", &[folder.as_fd(); DESCRIPTORS_MAX + 1]);
    assert!(matches!(too_many, Err(ChannelError::TooManyDescriptors)), "{too_many:?}");
}

#[test]
fn a_message_that_lost_descriptors_is_told_to_who_asks_for_what_came() {
    const SENT: usize = 4 * DESCRIPTORS_MAX;
    let (one, other) = Channel::pair().unwrap();
    let folder = fs::File::open("/").unwrap();
    // More than there is room for: the kernel leaves out some, as it does where the process may have no more.
    let one = OwnedFd::from(one);
    let descriptors = [folder.as_fd(); SENT];
    for _ in 0..2 {
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(SENT))];
        let mut control = SendAncillaryBuffer::new(&mut space);
        assert!(control.push(SendAncillaryMessage::ScmRights(&descriptors)));
        sendmsg(&one, &[IoSlice::new(b"\"here\"")], &mut control, SendFlags::empty()).unwrap();
    }
    assert!(matches!(other.receive::<String>(), Err(ChannelError::TooManyDescriptors)));
    let Received::Message(word, came) = other.receive_what_came::<String>().unwrap() else {
        panic!("nothing")
    };
    assert!(word == "here" && !came.is_empty() && came.len() < SENT, "{word} {came:?}");
}

#[test]
fn a_living_name_is_taken_and_a_dead_one_is_taken_over() {
    let place = Place::new();
    let directory = place.directory();
    let living = Listener::bind(&directory, Kind::Host, &name("a")).unwrap();
    let second = Listener::bind(&directory, Kind::Host, &name("a"));
    assert!(matches!(second, Err(BindError::NameTaken(_))), "{second:?}");
    // Nets have names of their own.
    let _net = Listener::bind(&directory, Kind::Net, &name("a")).unwrap();
    drop(living);
    assert!(Channel::connect(&directory, Kind::Host, &name("a")).unwrap().is_none());
    // What a killed process leaves: a file whose socket nobody has.
    let directory = place.directory();
    drop(std::os::unix::net::UnixListener::bind(directory.path(Kind::Host, &name("a"))).unwrap());
    assert_eq!(directory.list(Kind::Host), [name("a")]);
    assert!(Channel::connect(&directory, Kind::Host, &name("a")).unwrap().is_none());
    let mut heir = Listener::bind(&directory, Kind::Host, &name("a")).unwrap();
    call(&directory, &mut heir, "a");
}

#[test]
fn of_many_who_want_one_name_one_gets_it() {
    let place = Place::new();
    let directory = place.directory();
    for _ in 0..20 {
        drop(std::os::unix::net::UnixListener::bind(directory.path(Kind::Host, &name("a"))).unwrap());
        let taken: Vec<_> = std::thread::scope(|scope| {
            let wanting = || scope.spawn(|| Listener::bind(&directory, Kind::Host, &name("a")));
            let threads: Vec<_> = (0..8).map(|_| wanting()).collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).collect()
        });
        assert_eq!(taken.iter().filter(|taken| taken.is_ok()).count(), 1, "{taken:?}");
        drop(taken);
        // The last to go has left no directory.
        assert!(!place.0.exists());
        place.directory();
    }
}

#[test]
fn what_killed_processes_without_a_name_have_left_is_cleared_away() {
    let place = Place::new();
    let directory = place.directory();
    // No process has this number: it is above the highest there is.
    let dead = Name::of_process(u32::MAX);
    drop(std::os::unix::net::UnixListener::bind(directory.path(Kind::Host, &dead)).unwrap());
    let _living = Listener::bind(&directory, Kind::Host, &name("a")).unwrap();
    assert_eq!(directory.list(Kind::Host), [name("a")]);
}

#[test]
fn what_is_no_message_is_an_error() {
    let (one, other) = rustix::net::socketpair(
        rustix::net::AddressFamily::UNIX,
        rustix::net::SocketType::SEQPACKET,
        rustix::net::SocketFlags::NONBLOCK,
        None,
    )
    .unwrap();
    let channel = Channel::from(one);
    for bytes in [&b"{"[..], b"\"one\" \"two\"", b"\xff\xfe", b"12", &[b'['; 10_000]] {
        rustix::net::send(&other, bytes, SendFlags::empty()).unwrap();
        let received = channel.receive::<String>();
        assert!(matches!(received, Err(ChannelError::Malformed(_))), "{received:?}");
    }
    let long = vec![b' '; MESSAGE_BYTES_MAX + 1];
    rustix::net::send(&other, &long, SendFlags::empty()).unwrap();
    assert!(matches!(channel.receive::<String>(), Err(ChannelError::Malformed(_))));
    assert!(matches!(channel.send(&"x".repeat(MESSAGE_BYTES_MAX), &[]), Err(ChannelError::Malformed(_))));
}

#[test]
fn who_does_not_listen_holds_nobody_up() {
    let (one, _other) = Channel::pair().unwrap();
    let word = "x".repeat(1000);
    let refused = (0..10_000).find_map(|_| one.send(&word, &[]).err());
    assert!(matches!(refused, Some(ChannelError::Full)), "{refused:?}");
    let waited = one.receive_within::<String>(Duration::from_millis(1)).unwrap();
    assert!(matches!(waited, Received::Nothing));
}

#[test]
fn a_directory_that_others_could_enter_is_refused() {
    let place = Place::new();
    fs::create_dir(&place.0).unwrap();
    fs::set_permissions(&place.0, Permissions::from_mode(0o755)).unwrap();
    let open = Directory::at(place.0.clone());
    assert!(matches!(open, Err(DirectoryError::Open(_))), "{open:?}");
    assert!(open.unwrap_err().to_string().contains("chmod 700"));

    let linked = Place::new();
    fs::set_permissions(&place.0, Permissions::from_mode(0o700)).unwrap();
    std::os::unix::fs::symlink(&place.0, &linked.0).unwrap();
    let link = Directory::at(linked.0.clone());
    assert!(matches!(link, Err(DirectoryError::NotOurs(_))), "{link:?}");
    fs::remove_file(&linked.0).unwrap();

    let file = Place::new();
    fs::write(&file.0, "").unwrap();
    assert!(matches!(Directory::at(file.0.clone()), Err(DirectoryError::NotOurs(_))));
    fs::remove_file(&file.0).unwrap();
}

#[test]
fn a_path_too_long_for_a_socket_is_told() {
    let place = Place::new();
    let deep = Directory::at(place.0.with_file_name(format!("ieum-control-{}", "x".repeat(90)))).unwrap();
    let bound = Listener::bind(&deep, Kind::Host, &name("a"));
    assert!(bound.unwrap_err().to_string().contains("XDG_RUNTIME_DIR"));
    fs::remove_dir_all(place.0.with_file_name(format!("ieum-control-{}", "x".repeat(90)))).unwrap();
}

#[test]
fn who_is_another_user_is_hung_up_on_even_where_the_directory_lets_it_in() {
    let is_root = rustix::process::geteuid().is_root();
    let can = is_root
        && ["setpriv", PYTHON].iter().all(|peer| Command::new(peer).arg("--version").output().is_ok());
    if !can {
        assert!(!is_root || std::env::var_os("CI").is_none(), "setpriv and python3 are needed");
        println!("root, setpriv and python3 are needed, so this test proves nothing");
        return;
    }
    let place = Place::new();
    let directory = place.directory();
    let mut listener = Listener::bind(&directory, Kind::Host, &name("a")).unwrap();
    let socket = directory.path(Kind::Host, &name("a"));
    for (path, mode) in
        [(place.0.clone(), 0o711), (socket.parent().unwrap().into(), 0o711), (socket.clone(), 0o666)]
    {
        fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
    }
    let stranger = "import socket, sys; s = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET); \
                    s.connect(sys.argv[1]); print('connected', flush=True); sys.exit(len(s.recv(9)))";
    let child = Command::new("setpriv")
        .args(["--reuid=65534", "--regid=65534", "--clear-groups", PYTHON, "-c", stranger])
        .arg(&socket)
        .stdout(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    let mut ready = [rustix::event::PollFd::new(&listener, rustix::event::PollFlags::IN)];
    let patience = rustix::event::Timespec { tv_sec: 60, tv_nsec: 0 };
    assert_eq!(rustix::event::poll(&mut ready, Some(&patience)).unwrap(), 1, "the stranger never called");
    assert!(listener.accept().unwrap().is_none());
    assert_eq!(listener.strangers(), 1);
    let output = child.wait_with_output().unwrap();
    assert_eq!((output.status.code(), output.stdout), (Some(0), b"connected\n".to_vec()));
}

#[test]
fn who_has_ended_since_it_called_is_nobody() {
    if Command::new(PYTHON).arg("--version").output().is_err() {
        assert!(std::env::var_os("CI").is_none(), "python3 is needed");
        println!("python3 is needed, so this test proves nothing");
        return;
    }
    let place = Place::new();
    let directory = place.directory();
    let mut listener = Listener::bind(&directory, Kind::Host, &name("a")).unwrap();
    // The connection lives on in a child, and the number of who called may be anybody's next.
    let heir = "import os, socket, sys; s = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET); \
                s.connect(sys.argv[1]); os.fork() and os._exit(0); sys.stdin.read()";
    let mut caller = Command::new(PYTHON)
        .args(["-c", heir])
        .arg(directory.path(Kind::Host, &name("a")))
        .stdin(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    let keeps_the_heir = caller.stdin.take();
    let pid = rustix::process::Pid::from_child(&caller);
    // Not reaped yet: the kernel still tells of it, as it would of somebody else with its number.
    let ended = rustix::process::WaitIdOptions::EXITED | rustix::process::WaitIdOptions::NOWAIT;
    rustix::process::waitid(rustix::process::WaitId::Pid(pid), ended).unwrap();
    assert!(listener.accept().unwrap().is_none());
    assert_eq!(listener.strangers(), 1);
    drop(keeps_the_heir);
    assert!(caller.wait().unwrap().success());
}

#[test]
fn who_keeps_the_directory_locked_holds_nobody_up_for_ever() {
    let place = Place::new();
    let directory = place.directory();
    let taken = Listener::bind(&directory, Kind::Host, &name("a")).unwrap();
    let lock = fs::File::open(&place.0).unwrap();
    rustix::fs::flock(&lock, rustix::fs::FlockOperation::LockExclusive).unwrap();
    let refused = Listener::bind(&directory, Kind::Host, &name("b")).unwrap_err();
    assert!(refused.to_string().contains("does not let go"), "{refused}");
    // Giving a name back does without.
    drop(taken);
    assert!(directory.list(Kind::Host).is_empty());
}
