//! A program that runs, what it prints, how it ended.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::process::ExitStatusExt;
use std::process::{Child, ChildStderr, ChildStdin, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Pid, PidfdFlags, Signal, kill_process, kill_process_group, pidfd_open};

/// How long a program may be silent that somebody waits for: what has not happened by then never will. Where two cores
/// were given for a fifth of the time, some were for more than a minute (Java's compiler beside three others).
const PATIENCE: Duration = Duration::from_secs(300);

/// How long a program may live that goes on printing. The longest, with some 5,000 lines, takes a minute of an idle machine.
const LIFE_MAX: Duration = Duration::from_secs(900);

/// How soon a connection that was refused is tried again: the server prints nothing that could be waited for.
const TRY_AGAIN: Duration = Duration::from_millis(5);

/// A started program. Ended by its id, with its process group, when dropped.
pub(crate) struct Running {
    child: Child,
    pidfd: OwnedFd,
    stdin: Option<ChildStdin>,
    stdout: Stream<ChildStdout>,
    stderr: Stream<ChildStderr>,
    deadline: Instant,
    /// How far the deadline moves at most, with what is printed and with each wait.
    last_deadline: Instant,
}

/// One of a program's outputs: all that came, and how much of it was handed out as lines.
struct Stream<S> {
    /// `None` once it ended.
    source: Option<S>,
    text: Vec<u8>,
    told: usize,
}

/// How a program ended, and everything it printed.
#[derive(Debug)]
pub(crate) struct Finished {
    /// Its exit code; 128 and the signal if one ended it.
    pub(crate) code: i32,
    /// Its standard output.
    pub(crate) stdout: String,
    /// Its standard error.
    pub(crate) stderr: String,
}

impl Finished {
    /// The standard output of a program that must have succeeded.
    pub(crate) fn success(self) -> String {
        assert_eq!(self.code, 0, "stdout: {}\nstderr: {}", self.stdout, self.stderr);
        self.stdout
    }
}

impl Running {
    /// Starts a command line.
    pub(crate) fn start<S: AsRef<std::ffi::OsStr>>(words: &[S]) -> Running {
        Running::start_with(words, |command| command)
    }

    /// Starts a command line after `adjust` has seen the command.
    pub(crate) fn start_with<S: AsRef<std::ffi::OsStr>>(
        words: &[S],
        adjust: impl FnOnce(&mut Command) -> &mut Command,
    ) -> Running {
        use std::os::unix::process::CommandExt;
        let mut command = Command::new(&words[0]);
        command.args(&words[1..]).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        // A group of its own: whatever a failed test leaves running can be ended with it.
        command.process_group(0);
        let mut child = adjust(&mut command).spawn().expect("the program starts");
        let now = Instant::now();
        Running {
            pidfd: pidfd_open(Pid::from_child(&child), PidfdFlags::empty()).expect("a child has a pidfd"),
            stdin: child.stdin.take(),
            stdout: Stream::new(child.stdout.take()),
            stderr: Stream::new(child.stderr.take()),
            child,
            deadline: now + PATIENCE,
            last_deadline: now + LIFE_MAX,
        }
    }

    /// Its process id.
    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// Writes a line to its standard input.
    pub(crate) fn tell(&mut self, line: &str) {
        let stdin = self.stdin.as_mut().expect("standard input is open");
        writeln!(stdin, "{line}").expect("the program reads what it is told");
    }

    /// Sends it a signal.
    pub(crate) fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).expect("a running program can be signalled");
    }

    /// The next line of its standard output that begins with `start`.
    pub(crate) fn line(&mut self, start: &str) -> String {
        self.wait_for(start, |running| running.stdout.line(start))
    }

    /// The next line of its standard output that has `part` in it.
    pub(crate) fn line_with(&mut self, part: &str) -> String {
        self.wait_for(part, |running| {
            let mut line = running.stdout.line("")?;
            while !line.contains(part) {
                line = running.stdout.line("")?;
            }
            Some(line)
        })
    }

    /// The next line of its standard error that begins with `start`.
    pub(crate) fn error_line(&mut self, start: &str) -> String {
        self.wait_for(start, |running| running.stderr.line(start))
    }

    /// Where `ieum` says that it published a port which was asked for as 0.
    pub(crate) fn published(&mut self) -> SocketAddr {
        let line = self.error_line("ieum: published ");
        let address = line.split_whitespace().nth(2).expect("an address follows");
        address.parse().unwrap_or_else(|_| panic!("not an address: {line}"))
    }

    /// A connection to `address`, as soon as somebody there accepts one.
    pub(crate) fn connect(&mut self, address: SocketAddr) -> TcpStream {
        self.until("a connection is accepted", |_| TcpStream::connect(address).ok())
    }

    /// Waits until nobody at `address` accepts connections any more.
    pub(crate) fn refused(&mut self, address: SocketAddr) {
        self.until("connections are refused", |_| match TcpStream::connect(address) {
            Err(error) if error.kind() == std::io::ErrorKind::ConnectionRefused => Some(()),
            Err(_) | Ok(_) => None,
        });
    }

    /// Waits for its end.
    pub(crate) fn finish(mut self) -> Finished {
        drop(self.stdin.take());
        self.begin_to_wait();
        while !self.is_over() || self.stdout.source.is_some() || self.stderr.source.is_some() {
            self.look("the program ends", PATIENCE);
        }
        let status = self.child.wait().expect("an ended child can be waited for");
        Finished {
            code: status
                .code()
                .or_else(|| status.signal().map(|signal| 128 + signal))
                .expect("ended somehow"),
            stdout: String::from_utf8_lossy(&self.stdout.text).into_owned(),
            stderr: String::from_utf8_lossy(&self.stderr.text).into_owned(),
        }
    }

    /// Everything it has printed so far.
    pub(crate) fn printed(&self) -> std::borrow::Cow<'_, str> {
        String::from_utf8_lossy(&self.stdout.text)
    }

    /// A step of waiting for something that it does not tell: until it prints, or for a moment.
    pub(crate) fn look_on(&mut self, what: &str) {
        assert!(!self.is_over(), "the program ended before {what}\n{}", self.said());
        self.look(what, TRY_AGAIN);
    }

    /// Patience begins anew.
    fn begin_to_wait(&mut self) {
        self.deadline = self.last_deadline.min(Instant::now() + PATIENCE);
    }

    fn wait_for(&mut self, what: &str, find: impl Fn(&mut Running) -> Option<String>) -> String {
        self.begin_to_wait();
        loop {
            if let Some(found) = find(self) {
                return found;
            }
            let silent = self.stdout.source.is_none() && self.stderr.source.is_none();
            assert!(!silent, "the program ended before `{what}`\n{}", self.said());
            self.look(what, PATIENCE);
        }
    }

    fn until<T>(&mut self, what: &str, mut attempt: impl FnMut(&mut Running) -> Option<T>) -> T {
        self.begin_to_wait();
        loop {
            if let Some(found) = attempt(self) {
                return found;
            }
            assert!(!self.is_over(), "the program ended before {what}\n{}", self.said());
            self.look(what, TRY_AGAIN);
        }
    }

    fn is_over(&mut self) -> bool {
        self.child.try_wait().expect("a child can be asked for").is_some()
    }

    fn said(&self) -> String {
        let (out, err) =
            (String::from_utf8_lossy(&self.stdout.text), String::from_utf8_lossy(&self.stderr.text));
        format!("stdout: {out}\nstderr: {err}")
    }

    /// Waits until it prints or ends, but no longer than `at_most`, and keeps what it printed.
    fn look(&mut self, what: &str, at_most: Duration) {
        let left = self.deadline.saturating_duration_since(Instant::now());
        assert!(!left.is_zero(), "still waiting for `{what}`\n{}", self.said());
        let timeout = Timespec::try_from(left.min(at_most)).expect("a short while is a time");
        let ended = self.is_over();
        let mut waiting = Vec::new();
        if !ended {
            waiting.push(PollFd::new(&self.pidfd, PollFlags::IN));
        }
        waiting.extend(
            self.stdout.source.iter().map(|source| PollFd::from_borrowed_fd(source.as_fd(), PollFlags::IN)),
        );
        waiting.extend(
            self.stderr.source.iter().map(|source| PollFd::from_borrowed_fd(source.as_fd(), PollFlags::IN)),
        );
        if waiting.is_empty() {
            return;
        }
        poll(&mut waiting, Some(&timeout)).expect("poll waits");
        drop(waiting);
        if self.stdout.take_what_came() + self.stderr.take_what_came() > 0 {
            self.begin_to_wait();
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if self.is_over() {
            return;
        }
        let pid = Pid::from_child(&self.child);
        // SIGTERM first, so that ieum ends what it started; SIGKILL for the whole group if that takes too long.
        let _ = kill_process(pid, Signal::TERM);
        let mut ended = [PollFd::new(&self.pidfd, PollFlags::IN)];
        let _ = poll(&mut ended, Some(&Timespec { tv_sec: 5, tv_nsec: 0 }));
        if !self.is_over() {
            let _ = kill_process_group(pid, Signal::KILL);
            let _ = self.child.wait();
        }
    }
}

impl<S: Read + AsFd> Stream<S> {
    fn new(source: Option<S>) -> Stream<S> {
        Stream { source, text: Vec::new(), told: 0 }
    }

    /// How many bytes came.
    fn take_what_came(&mut self) -> usize {
        let Some(source) = self.source.as_mut() else { return 0 };
        let mut ready = [PollFd::from_borrowed_fd(source.as_fd(), PollFlags::IN)];
        if poll(&mut ready, Some(&Timespec::default())).expect("poll looks") == 0 {
            return 0;
        }
        let mut chunk = vec![0; 65536];
        let count = source.read(&mut chunk).expect("a pipe can be read");
        self.text.extend_from_slice(&chunk[..count]);
        if count == 0 {
            self.source = None;
        }
        count
    }

    /// The next whole line that begins with `start`; the lines before it are passed over.
    fn line(&mut self, start: &str) -> Option<String> {
        loop {
            let rest = &self.text[self.told..];
            let length = rest.iter().position(|byte| *byte == b'\n')?;
            let line = String::from_utf8_lossy(&rest[..length]).into_owned();
            self.told += length + 1;
            if line.starts_with(start) {
                return Some(line);
            }
        }
    }
}

/// A port of the machine's loopback that was free a moment ago, for servers that cannot be told to take any.
pub(crate) fn free_port() -> u16 {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port is bound");
    listener.local_addr().expect("a bound socket has a name").port()
}
