//! Readiness in tokio's words, and its budget.

use std::future::Future;
use std::io::{self, ErrorKind};
use std::net::SocketAddr;
use std::task::{Context, Poll};

use ieum::sockets::Readiness;
use tokio::io::{Interest, Ready};
use tokio::net::{ToSocketAddrs, lookup_host};
use tokio::task::coop::poll_proceed;

/// A question for a task, paid from its budget if it is answered.
pub(crate) fn budgeted<T>(
    cx: &mut Context<'_>,
    ask: impl FnOnce(&mut Context<'_>) -> Poll<io::Result<T>>,
) -> Poll<io::Result<T>> {
    let spent = std::task::ready!(poll_proceed(cx));
    let answer = ask(cx);
    if answer.is_ready() {
        spent.made_progress();
    }
    answer
}

/// Asks `call`, which does not block, each time that `ready` says it is worth it.
pub(crate) async fn when<T, R: Future<Output = io::Result<()>>>(
    ready: impl Fn() -> R,
    mut call: impl FnMut() -> io::Result<T>,
) -> io::Result<T> {
    loop {
        tokio::task::coop::consume_budget().await;
        match call() {
            Err(error) if error.kind() == ErrorKind::WouldBlock => ready().await?,
            answer => return answer,
        }
    }
}

/// What of `interest` there is.
pub(crate) fn in_words(readiness: Readiness, interest: Interest) -> Ready {
    let over = readiness.hangup || readiness.error;
    let mut ready = Ready::EMPTY;
    if interest.is_readable() && (readiness.readable || over) {
        ready |= Ready::READABLE;
    }
    if interest.is_readable() && (readiness.read_hangup || readiness.hangup) {
        ready |= Ready::READ_CLOSED;
    }
    if interest.is_writable() && (readiness.writable || over) {
        ready |= Ready::WRITABLE;
    }
    if interest.is_writable() && readiness.hangup {
        ready |= Ready::WRITE_CLOSED;
    }
    if interest.is_error() && readiness.error {
        ready |= Ready::ERROR;
    }
    ready
}

/// Tries each of what a name or several mean; the last one's error. Names are asked of the machine.
pub(crate) async fn each<T, F: Future<Output = io::Result<T>>>(
    address: impl ToSocketAddrs,
    mut attempt: impl FnMut(SocketAddr) -> F,
) -> io::Result<T> {
    let mut last = None;
    for address in lookup_host(address).await? {
        match attempt(address).await {
            Ok(made) => return Ok(made),
            Err(error) => last = Some(error),
        }
    }
    Err(last.unwrap_or_else(|| io::Error::new(ErrorKind::InvalidInput, "could not resolve to any address")))
}

/// Passes calls on to the socket inside, which answers them at once.
macro_rules! passed_on {
    ($($(#[$doc:meta])* $name:ident($($argument:ident: $kind:ty),*) -> $answer:ty;)*) => {
        $($(#[$doc])*
        ///
        /// # Errors
        ///
        /// As the same call of [`ieum::net`].
        pub fn $name(&self $(, $argument: $kind)*) -> ::std::io::Result<$answer> {
            self.0.$name($($argument),*)
        })*
    };
}
pub(crate) use passed_on;
