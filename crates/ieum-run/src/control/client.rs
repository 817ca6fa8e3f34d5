//! Who asks something of a host and goes.

use std::io;
use std::os::fd::{AsFd, BorrowedFd};

use ieum_control::{Channel, ChannelError, Directory, Kind, Name, Received};

use super::{Answer, Request, Row};
use crate::bounds::{HOST_ANSWERS_WITHIN, PARTS_MAX};

/// A host that is asked.
#[derive(Debug)]
pub struct Asked {
    channel: Channel,
}

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub enum AskError {
    /// Its process is gone, or has hung up: hosts do not listen to programs under ieum.
    #[error("it is gone, or has hung up as on any program under `ieum run`: call it from outside")]
    Gone,
    /// It is there and says nothing.
    #[error("it does not answer: is its process stopped?")]
    Silent,
    /// It says what is not understood.
    #[error("it does not answer as it should: is it another version of ieum?")]
    NotUnderstood,
    /// Its socket cannot be reached.
    #[error(transparent)]
    Failed(#[from] ChannelError),
}

impl Asked {
    /// The host that has `name`; `None` if nobody has it.
    ///
    /// # Errors
    ///
    /// Its socket cannot be reached.
    pub fn new(directory: &Directory, name: &Name) -> Result<Option<Asked>, AskError> {
        let channel = Channel::connect(directory, Kind::Host, name).map_err(ChannelError::from)?;
        Ok(channel.map(|channel| Asked { channel }))
    }

    /// Whether it has ended, or has hung up. Asked only while no answer is to come; until then the descriptor has nothing to
    /// read.
    pub fn is_gone(&self) -> bool {
        !matches!(self.channel.receive::<Answer>(), Ok(Received::Nothing))
    }

    /// All its sockets.
    ///
    /// # Errors
    ///
    /// [`AskError`].
    pub fn sockets(&self) -> Result<Vec<Row>, AskError> {
        let mut all = Vec::new();
        let mut request = Request::Sockets;
        for _ in 0..PARTS_MAX {
            let Answer::Sockets { rows, more } = ask(&self.channel, &request)? else {
                return Err(AskError::NotUnderstood);
            };
            let is_empty = rows.is_empty();
            all.extend(rows);
            if !more {
                return Ok(all);
            }
            if is_empty {
                break;
            }
            request = Request::More;
        }
        // No host has so many, or says that there is more and has nothing to say.
        Err(AskError::NotUnderstood)
    }

    /// What it has dropped, by reason.
    ///
    /// # Errors
    ///
    /// [`AskError`].
    pub fn drops(&self) -> Result<Vec<(String, u64)>, AskError> {
        match ask(&self.channel, &Request::Drops)? {
            Answer::Drops { counts } => Ok(counts),
            Answer::Welcome { .. } | Answer::Refused { .. } | Answer::Sockets { .. } => {
                Err(AskError::NotUnderstood)
            }
        }
    }
}

impl AsFd for Asked {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.channel.as_fd()
    }
}

/// One question and its answer.
pub(super) fn ask(channel: &Channel, request: &Request) -> Result<Answer, AskError> {
    match channel.send(request, &[]) {
        Ok(()) => {}
        // It hung up before we had said anything.
        Err(ChannelError::Failed(error)) if is_hung_up(&error) => return Err(AskError::Gone),
        Err(error) => return Err(AskError::Failed(error)),
    }
    match channel.receive_within(HOST_ANSWERS_WITHIN) {
        Ok(Received::Message(answer, _)) => Ok(answer),
        Ok(Received::Nothing) => Err(AskError::Silent),
        Ok(Received::End) => Err(AskError::Gone),
        Err(ChannelError::Malformed(_)) => Err(AskError::NotUnderstood),
        Err(error) => Err(AskError::Failed(error)),
    }
}

fn is_hung_up(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::BrokenPipe | io::ErrorKind::ConnectionReset)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_hangs_up_at_once_is_gone() {
        let (channel, host) = Channel::pair().unwrap();
        drop(host);
        assert!(matches!(ask(&channel, &Request::Enter), Err(AskError::Gone)));
    }

    #[test]
    fn who_always_has_more_to_say_is_not_listened_to_for_ever() {
        let (channel, host) = Channel::pair().unwrap();
        // What it will be asked is answered already.
        for _ in 0..3 {
            host.send(&Answer::Sockets { rows: Vec::new(), more: true }, &[]).unwrap();
        }
        let asked = Asked { channel };
        assert!(matches!(asked.sockets(), Err(AskError::NotUnderstood)));
    }
}
