//! Seeds as they are typed: `7`, or `1..50`, both ends included.

use std::ops::RangeInclusive;
use std::str::FromStr;

/// One seed, or a range.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Seeds(pub(super) RangeInclusive<u64>);

impl FromStr for Seeds {
    type Err = String;

    fn from_str(text: &str) -> Result<Seeds, String> {
        let number = |text: &str| {
            text.parse::<u64>()
                .map_err(|_| format!("`{text}` is no seed: a seed is a whole number from 0 to {}", u64::MAX))
        };
        let Some((first, last)) = text.split_once("..") else {
            let seed = number(text)?;
            return Ok(Seeds(seed..=seed));
        };
        let (first, last) = (number(first)?, number(last.trim_start_matches('='))?);
        if first > last {
            return Err(format!("a range of seeds goes upwards: {last}..{first}"));
        }
        Ok(Seeds(first..=last))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_is_a_number_and_a_range_has_both_its_ends() {
        assert_eq!("7".parse(), Ok(Seeds(7..=7)));
        assert_eq!("1..50".parse(), Ok(Seeds(1..=50)));
        assert_eq!("1..=50".parse(), Ok(Seeds(1..=50)));
        for (text, why) in
            [("x", "`x` is no seed"), ("5..", "`` is no seed"), ("-1", "no seed"), ("9..3", "3..9")]
        {
            let said = text.parse::<Seeds>().unwrap_err();
            assert!(said.contains(why), "{said}");
        }
    }
}
