//! A name and what it means, as a person writes it: `NAME=ADDR`.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

/// The longest name in text, in bytes (RFC 1035 §2.3.4: 255 on the wire, where each label has a length and the root is
/// one more).
const NAME_BYTES_MAX: usize = 253;

/// The longest label, in bytes (RFC 1035 §2.3.4).
const LABEL_BYTES_MAX: usize = 63;

/// A name means an address: `NAME=ADDR`. The name is kept in lower case and without a final dot.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Named {
    name: String,
    address: IpAddr,
}

/// Why a text is no name with an address.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum NamedParseError {
    /// No `=`.
    #[error("expected NAME=ADDR, as in db.example=10.77.0.1")]
    Shape,
    /// The name is none.
    #[error("{0:?} is not a host's name: labels of letters, digits, - and _, divided by dots")]
    Name(String),
    /// The address is none.
    #[error("{0:?} is not an IP address")]
    Address(String),
}

impl Named {
    /// The name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The address.
    pub fn address(&self) -> IpAddr {
        self.address
    }
}

impl FromStr for Named {
    type Err = NamedParseError;

    fn from_str(text: &str) -> Result<Named, NamedParseError> {
        let (name, address) = text.split_once('=').ok_or(NamedParseError::Shape)?;
        let name = canonical(name).ok_or_else(|| NamedParseError::Name(name.into()))?;
        let address = address.parse().map_err(|_| NamedParseError::Address(address.into()))?;
        Ok(Named { name, address })
    }
}

impl fmt::Display for Named {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}={}", self.name, self.address)
    }
}

/// A host's name as it is looked up; `None` for what is none. An address in a name's place is a mistake: nobody would
/// ask for it.
pub(super) fn canonical(name: &str) -> Option<String> {
    let name = name.strip_suffix('.').unwrap_or(name);
    let fits = !name.is_empty() && name.len() <= NAME_BYTES_MAX && name.parse::<IpAddr>().is_err();
    (fits && name.split('.').all(is_label)).then(|| name.to_ascii_lowercase())
}

/// Letters, digits and hyphens (RFC 952, RFC 1123 §2.1), and the underscore that people use in spite of it.
fn is_label(label: &str) -> bool {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
    (1..=LABEL_BYTES_MAX).contains(&label.len()) && label.bytes().all(allowed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_kept_as_it_is_looked_up() {
        let named = |text: &str| text.parse::<Named>().map(|named| named.to_string());
        assert_eq!(named("DB.Example.=10.77.0.1"), Ok("db.example=10.77.0.1".into()));
        assert_eq!(named("db=fd77::1"), Ok("db=fd77::1".into()));
        assert_eq!(named("my_db-1.example=::1"), Ok("my_db-1.example=::1".into()));
    }

    #[test]
    fn what_is_no_name_or_no_address_says_so() {
        let error = |text: &str| text.parse::<Named>().unwrap_err();
        assert_eq!(error("db.example"), NamedParseError::Shape);
        let label = "a".repeat(64);
        let name = ["a"; 128].join(".");
        for bad in ["", ".", "a..b", ".a", "a b", "bücher.example", "*.example", "10.77.0.1", &label, &name]
        {
            assert_eq!(error(&format!("{bad}=10.77.0.1")), NamedParseError::Name(bad.into()));
        }
        for bad in ["", "10.77.0", "[::1]", "10.77.0.1:80", "here"] {
            assert_eq!(error(&format!("db={bad}")), NamedParseError::Address(bad.into()));
        }
    }
}
