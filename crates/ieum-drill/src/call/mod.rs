//! System calls: their arguments, what they do, and whether they answer what the script says.
//!
//! A call is a function that either is done or waits; who waits is asked again after whatever happened, with its
//! [`Wait`] to remember how far it came. A socket blocks unless O_NONBLOCK or the call's flags say otherwise.
//!
//! Files: `value` (arguments), `table` (descriptors), `socket` (socket to close), `connect`, `transfer` (reading and
//! writing), `control` (what goes beside it), `option` (socket options), `poll` and `epoll` (waiting), `file` (pipes,
//! files and what moves between them).

mod connect;
mod control;
mod epoll;
mod file;
mod option;
mod poll;
mod socket;
mod table;
mod transfer;
mod value;

use ieum_socket::{Errno, Wait};

use crate::run::Runner;
use crate::script::Call;
use crate::stop::Stop;
use crate::symbols;
pub(crate) use table::Table;
use value::{Arguments, Value};

/// How far a call has come.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Progress {
    /// It has answered, as the script says.
    Done,
    /// It would block.
    Waiting,
}

/// What a call answers: a number, or an error.
type Answer = Result<i64, Errno>;

/// A call whose arguments are known.
struct Asked<'c> {
    call: &'c Call,
    arguments: Arguments,
    /// What it must answer.
    expected: i64,
}

impl Runner<'_> {
    /// Makes a call, or asks one again that waits.
    pub(crate) fn call(&mut self, call: &Call, wait: &mut Wait) -> Result<Progress, Stop> {
        let arguments = Arguments::of(&call.arguments)?;
        let Value::Integer(expected) = value::value(&call.result)? else {
            return Err(Stop::failed("the result of a call is a number"));
        };
        let asked = Asked { call, arguments, expected };
        match call.name.as_str() {
            "socket" => self.socket(&asked),
            "bind" => self.bind(&asked),
            "listen" => self.listen(&asked),
            "accept" | "accept4" => self.accept(&asked, wait),
            "connect" => self.connect(&asked, wait),
            "read" | "recv" | "recvfrom" | "readv" | "recvmsg" => self.receive(&asked, wait),
            "write" | "send" | "sendto" | "writev" | "sendmsg" => self.send(&asked, wait),
            "close" => self.close(&asked),
            "shutdown" => self.shutdown(&asked),
            "dup" => self.dup(&asked),
            "fcntl" => self.fcntl(&asked),
            "ioctl" => self.ioctl(&asked),
            "getsockopt" => self.getsockopt(&asked),
            "setsockopt" => self.setsockopt(&asked),
            "poll" => self.poll(&asked, wait),
            "epoll_create" | "epoll_create1" => self.epoll_create(&asked),
            "epoll_ctl" => self.epoll_ctl(&asked),
            "epoll_wait" => self.epoll_wait(&asked, wait),
            "pipe" => self.pipe(&asked),
            "open" => self.open(&asked),
            "splice" => self.splice(&asked, wait),
            "sendfile" => self.sendfile(&asked, wait),
            // Nothing here asks for a capability.
            "cap_set" => asked.exactly(Ok(0)).map(|()| Progress::Done),
            name => Err(Stop::unsupported(format!("the system call {name}"))),
        }
    }
}

impl Asked<'_> {
    /// Compares an answer, if there is one yet, with the script's.
    fn when_done(&self, answer: Option<Answer>) -> Result<Progress, Stop> {
        let Some(answer) = answer else { return Ok(Progress::Waiting) };
        self.exactly(answer)?;
        Ok(Progress::Done)
    }

    /// Compares an answer with the script's.
    fn exactly(&self, answer: Answer) -> Result<(), Stop> {
        let (actual, errno) = numbers(answer);
        if actual != self.expected {
            let expected = self.expected;
            let words = symbols::error_in_words(errno);
            return Err(Stop::failed(format!(
                "Expected result {expected} but got {actual} with errno {errno} ({words})"
            )));
        }
        self.error(errno)
    }

    /// The same for a call that gives a descriptor: its number is the script's to choose.
    fn descriptor(&self, answer: Answer) -> Result<(), Stop> {
        let (actual, errno) = numbers(answer);
        if self.expected < 0 || actual >= 0 {
            return if self.expected < 0 { self.exactly(answer) } else { self.error(errno) };
        }
        let words = symbols::error_in_words(errno);
        Err(Stop::failed(format!(
            "Expected non-negative result but got {actual} with errno {errno} ({words})"
        )))
    }

    /// The number that the script gives to a descriptor.
    fn number(&self) -> Result<i32, Stop> {
        i32::try_from(self.expected)
            .map_err(|_| Stop::failed(format!("invalid socket fd {} in script", self.expected)))
    }

    fn error(&self, actual: i32) -> Result<(), Stop> {
        let Some(name) = &self.call.errno else { return Ok(()) };
        let expected = symbols::number_of(name).and_then(|number| i32::try_from(number).ok());
        let expected = expected.ok_or_else(|| Stop::failed(format!("unknown symbol: '{name}'")))?;
        if expected == actual {
            return Ok(());
        }
        let (wanted, found) = (symbols::error_in_words(expected), symbols::error_in_words(actual));
        Err(Stop::failed(format!("Expected errno {expected} ({wanted}) but got {actual} ({found})")))
    }
}

/// An answer as a C program sees it: the result, and the error number.
fn numbers(answer: Answer) -> (i64, i32) {
    match answer {
        Ok(number) => (number, 0),
        Err(errno) => (-1, errno.0),
    }
}
