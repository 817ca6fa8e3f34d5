//! Why the tour could not go on: something was otherwise than its steps need it.

use ieum_socket::Errno;

/// A step that could not be done.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum Surprise {
    /// A call was refused.
    #[error("{call} gave {errno}")]
    Refused {
        /// The call as it would be written in C.
        call: String,
        /// Its error.
        errno: Errno,
    },
    /// Nothing happens any more, or not for a long time, that would end the wait for this.
    #[error("waited in vain for {0}")]
    Stuck(&'static str),
    /// Something that a step tells of did not happen.
    #[error("there was no {0}")]
    Missing(&'static str),
}
