//! Options that tokio's sockets have and std's have not.

use std::io;
use std::time::Duration;

use ieum::net::Socket;
use ieum::sockets::numbers::{SO_LINGER, SOL_SOCKET};

/// An option that is a number.
pub(crate) fn number(socket: &Socket, level: i32, name: i32) -> io::Result<i32> {
    let value = socket.option(level, name)?;
    Ok(match *value {
        [byte] => byte.into(),
        _ => value.first_chunk().map_or(0, |bytes| i32::from_ne_bytes(*bytes)),
    })
}

pub(crate) fn set_number(socket: &Socket, level: i32, name: i32, value: i32) -> io::Result<()> {
    socket.set_option(level, name, &value.to_ne_bytes())
}

/// As an option's value: Linux refuses what is no int.
pub(crate) fn unsigned(value: u32) -> io::Result<i32> {
    i32::try_from(value).map_err(|_| io::ErrorKind::InvalidInput.into())
}

/// SO_LINGER: two ints, whether and for how many seconds (socket(7)).
pub(crate) fn linger(socket: &Socket) -> io::Result<Option<Duration>> {
    let value = socket.option(SOL_SOCKET, SO_LINGER)?;
    let [is_set, seconds] = [0, 4].map(|at| value.get(at..).and_then(|rest| rest.first_chunk()).copied());
    let seconds = u64::try_from(i32::from_ne_bytes(seconds.unwrap_or_default())).unwrap_or(0);
    Ok(is_set.is_some_and(|is_set| is_set != [0; 4]).then_some(Duration::from_secs(seconds)))
}

pub(crate) fn set_linger(socket: &Socket, linger: Option<Duration>) -> io::Result<()> {
    let seconds = linger.map_or(0, |linger| i32::try_from(linger.as_secs()).unwrap_or(i32::MAX));
    let value = [i32::from(linger.is_some()), seconds].map(i32::to_ne_bytes).concat();
    socket.set_option(SOL_SOCKET, SO_LINGER, &value)
}

/// Options that are numbers, as methods of a type that can be asked for its `socket`.
macro_rules! number_options {
    ($($(#[$doc:meta])* $name:ident, $set:ident: bool = $level:ident, $option:expr;)*) => {
        $($(#[$doc])*
        ///
        /// # Errors
        ///
        /// Those of getsockopt(2).
        pub fn $name(&self) -> ::std::io::Result<bool> {
            crate::option::number(&self.socket(), $level, $option).map(|value| value != 0)
        }

        #[doc = concat!("See `", stringify!($name), "`.")]
        ///
        /// # Errors
        ///
        /// Those of setsockopt(2).
        pub fn $set(&self, value: bool) -> ::std::io::Result<()> {
            crate::option::set_number(&self.socket(), $level, $option, value.into())
        })*
    };
    ($($(#[$doc:meta])* $name:ident, $set:ident: u32 = $level:ident, $option:expr;)*) => {
        $($(#[$doc])*
        ///
        /// # Errors
        ///
        /// Those of getsockopt(2).
        pub fn $name(&self) -> ::std::io::Result<u32> {
            crate::option::number(&self.socket(), $level, $option).map(i32::unsigned_abs)
        }

        #[doc = concat!("See `", stringify!($name), "`.")]
        ///
        /// # Errors
        ///
        /// Those of setsockopt(2).
        pub fn $set(&self, value: u32) -> ::std::io::Result<()> {
            crate::option::set_number(&self.socket(), $level, $option, crate::option::unsigned(value)?)
        })*
    };
}

/// SO_LINGER, of streams.
macro_rules! linger_option {
    () => {
        /// How long closing waits for what was sent (SO_LINGER). Here dropping never waits for it, which would hold
        /// up other tasks: what was sent is delivered all the same.
        ///
        /// # Errors
        ///
        /// Those of getsockopt(2).
        pub fn linger(&self) -> ::std::io::Result<Option<::std::time::Duration>> {
            crate::option::linger(&self.socket())
        }

        /// See `linger`. No time at all makes closing a reset.
        ///
        /// # Errors
        ///
        /// Those of setsockopt(2).
        pub fn set_linger(&self, linger: Option<::std::time::Duration>) -> ::std::io::Result<()> {
            crate::option::set_linger(&self.socket(), linger)
        }

        /// Closing resets.
        ///
        /// # Errors
        ///
        /// Those of setsockopt(2).
        pub fn set_zero_linger(&self) -> ::std::io::Result<()> {
            self.set_linger(Some(::std::time::Duration::ZERO))
        }
    };
}

pub(crate) use linger_option;
pub(crate) use number_options;
