//! What nobody can guess.

use crate::Failure;

/// 32 bytes that nobody can guess, from the system's generator.
pub(crate) fn seed() -> Result<[u8; 32], Failure> {
    let mut seed = [0; 32];
    getrandom::fill(&mut seed).map_err(|error| Failure::own(format!("no random seed: {error}")))?;
    Ok(seed)
}
