//! The name of a host or a net: one label of the domain name system (RFC 1035 §2.3.1, RFC 1123 §2.1).

use std::fmt;
use std::str::FromStr;

use crate::bounds::NAME_BYTES_MAX;

/// Letters, digits and hyphens within, 63 at most; in lower case, since names do not differ by their case. So a name is
/// a file's name too, and never one that leads elsewhere.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Name(String);

/// A text is no name.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("`{0}` cannot be a name: take up to 63 letters, digits and hyphens, none of these at the ends")]
pub struct NameError(String);

impl Name {
    /// What a process that was given no name is known by: its number.
    pub fn of_process(pid: u32) -> Name {
        Name(pid.to_string())
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl FromStr for Name {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Name, NameError> {
        let within = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
        let good = (1..=NAME_BYTES_MAX).contains(&text.len())
            && text.bytes().all(within)
            && !text.starts_with('-')
            && !text.ends_with('-');
        if good {
            Ok(Name(text.to_ascii_lowercase()))
        } else {
            Err(NameError(text.chars().take(80).collect()))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_a_label() {
        assert_eq!("Web-1".parse::<Name>().unwrap().as_str(), "web-1");
        for bad in ["", "-a", "a-", "a.b", "a b", "ö", "../x", "a/b", &"a".repeat(64)] {
            let error = bad.parse::<Name>().unwrap_err().to_string();
            assert!(error.contains("letters, digits and hyphens"), "{error}");
        }
    }
}
