//! Readiness in tokio's words, and its budget.

use std::future::Future;
use std::io::{self, ErrorKind};
use std::net::SocketAddr;
use std::task::{Context, Poll};

use bytes::BufMut;
use ieum::sockets::Readiness;
use ieum::sockets::numbers::{POLLIN, POLLOUT, POLLPRI, POLLRDHUP};
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

/// Makes a call that does not block, and should it say WouldBlock, again each time that something has changed and there is any of
/// these events of poll(2). Not each time that there is: an error that stands is told for as long as nobody takes it.
pub(crate) async fn when<'a, S, T>(
    socket: &'a S,
    events: u32,
    mut call: impl FnMut() -> io::Result<T>,
) -> io::Result<T>
where
    ieum::net::Socket: From<&'a S>,
{
    tokio::task::coop::consume_budget().await;
    match call() {
        Err(error) if error.kind() == ErrorKind::WouldBlock => {
            ieum::net::Socket::from(socket).when_ready(events, call).await
        }
        answer => answer,
    }
}

/// What is waited for, in the bits of poll(2), which tells of errors unasked.
pub(crate) fn events(interest: Interest) -> u32 {
    let read = if interest.is_readable() { POLLIN | POLLRDHUP } else { 0 };
    let write = if interest.is_writable() { POLLOUT } else { 0 };
    let urgent = if interest.is_priority() { POLLPRI } else { 0 };
    read | write | urgent
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
    if interest.is_priority() && readiness.urgent {
        ready |= Ready::PRIORITY;
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

/// Readiness of the socket inside, as tokio's sockets have it.
macro_rules! readiness {
    () => {
        /// Waits for any of `interest`, and tells what of it there is.
        ///
        /// # Errors
        ///
        /// None that is known.
        pub async fn ready(&self, interest: ::tokio::io::Interest) -> ::std::io::Result<::tokio::io::Ready> {
            ::ieum::net::Socket::from(&self.0).when_ready(crate::ready::events(interest), || Ok(())).await?;
            Ok(crate::ready::in_words(self.0.readiness(), interest))
        }

        /// Waits until there is something to read.
        ///
        /// # Errors
        ///
        /// None that is known.
        pub async fn readable(&self) -> ::std::io::Result<()> {
            self.0.readable().await
        }

        /// Waits until there is room to write.
        ///
        /// # Errors
        ///
        /// None that is known.
        pub async fn writable(&self) -> ::std::io::Result<()> {
            self.0.writable().await
        }

        /// Makes a call if there is any of `interest`.
        ///
        /// # Errors
        ///
        /// WouldBlock when there is none, and the call's own.
        pub fn try_io<T>(
            &self,
            interest: ::tokio::io::Interest,
            call: impl FnOnce() -> ::std::io::Result<T>,
        ) -> ::std::io::Result<T> {
            match crate::ready::in_words(self.0.readiness(), interest).is_empty() {
                true => Err(::std::io::ErrorKind::WouldBlock.into()),
                false => call(),
            }
        }

        /// Makes a call when there is any of `interest`, and again each time that something has changed, until it does not say
        /// WouldBlock.
        ///
        /// # Errors
        ///
        /// The call's own.
        pub async fn async_io<T>(
            &self,
            interest: ::tokio::io::Interest,
            call: impl FnMut() -> ::std::io::Result<T>,
        ) -> ::std::io::Result<T> {
            ::tokio::task::coop::consume_budget().await;
            ::ieum::net::Socket::from(&self.0).when_ready(crate::ready::events(interest), call).await
        }
    };
}
pub(crate) use readiness;

/// Reads into what a buffer has free, as much as it offers at once.
pub(crate) fn into_buf<B: BufMut, T>(
    into: &mut B,
    read: impl FnOnce(&mut [u8]) -> io::Result<(usize, T)>,
) -> io::Result<(usize, T)> {
    // Its memory may be read only when it was written: that takes a copy, or unsafe code.
    let mut room = vec![0; into.chunk_mut().len()];
    let (count, told) = read(&mut room)?;
    into.put_slice(&room[..count]);
    Ok((count, told))
}
