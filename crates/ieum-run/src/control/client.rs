//! Who asks something of a host and goes.

use ieum_control::{Channel, ChannelError, Directory, Kind, Name, Received};

use super::{Answer, Request, Row};
use crate::bounds::HOST_ANSWERS_WITHIN;

/// A host that is asked.
#[derive(Debug)]
pub struct Asked {
    channel: Channel,
}

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub enum AskError {
    /// Its process is gone.
    #[error("it is gone")]
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

    /// All its sockets.
    ///
    /// # Errors
    ///
    /// [`AskError`].
    pub fn sockets(&self) -> Result<Vec<Row>, AskError> {
        let mut all = Vec::new();
        let mut request = Request::Sockets;
        loop {
            let Answer::Sockets { rows, more } = ask(&self.channel, &request)? else {
                return Err(AskError::NotUnderstood);
            };
            all.extend(rows);
            if !more {
                return Ok(all);
            }
            request = Request::More;
        }
    }

    /// What it has dropped, by reason.
    ///
    /// # Errors
    ///
    /// [`AskError`].
    pub fn drops(&self) -> Result<Vec<(String, u64)>, AskError> {
        match ask(&self.channel, &Request::Drops)? {
            Answer::Drops { counts } => Ok(counts),
            Answer::Welcome | Answer::Refused { .. } | Answer::Sockets { .. } => Err(AskError::NotUnderstood),
        }
    }
}

/// One question and its answer.
pub(super) fn ask(channel: &Channel, request: &Request) -> Result<Answer, AskError> {
    if let Err(error) = channel.send(request, &[]) {
        return Err(AskError::Failed(error));
    }
    match channel.receive_within(HOST_ANSWERS_WITHIN) {
        Ok(Received::Message(answer, _)) => Ok(answer),
        Ok(Received::Nothing) => Err(AskError::Silent),
        Ok(Received::End) => Err(AskError::Gone),
        Err(ChannelError::Malformed(_)) => Err(AskError::NotUnderstood),
        Err(error) => Err(AskError::Failed(error)),
    }
}
