//! Messages: JSON, one each, of bounded length.

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::bounds::MESSAGE_BYTES_MAX;

/// Bytes that are no message.
#[derive(Debug, thiserror::Error)]
pub enum Malformed {
    /// More bytes than a message has.
    #[error("a message has {MESSAGE_BYTES_MAX} bytes at most")]
    TooLong,
    /// Not the message that was expected.
    #[error("not a message that is understood here (is it another version of ieum?): {0}")]
    NotUnderstood(#[from] serde_json::Error),
}

/// The message that `bytes` are: all that a stranger's bytes meet before they mean something.
///
/// # Errors
///
/// [`Malformed`] for whatever is not exactly one message of that kind.
pub fn decode<M: DeserializeOwned>(bytes: &[u8]) -> Result<M, Malformed> {
    if bytes.len() > MESSAGE_BYTES_MAX {
        return Err(Malformed::TooLong);
    }
    Ok(serde_json::from_slice(bytes)?)
}

/// The bytes of a message.
///
/// # Errors
///
/// [`Malformed::TooLong`]: what is longer than a message is told in parts.
pub fn encode(message: &impl Serialize) -> Result<Vec<u8>, Malformed> {
    let bytes = serde_json::to_vec(message)?;
    if bytes.len() > MESSAGE_BYTES_MAX { Err(Malformed::TooLong) } else { Ok(bytes) }
}
