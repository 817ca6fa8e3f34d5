//! What can be chosen: the text of `--so_flags`.
//!
//! packetdrill tells a shared object nothing else, so that what its own options say about the link may be said again
//! here; what is not is taken from where the tool has it ([`crate::told`]). Words are separated by commas or
//! semicolons; the last one about a thing counts. (packetdrill's own spelling, `--mtu=1400`, is understood too.)
//!
//! | word | meaning | default |
//! |---|---|---|
//! | `mtu=BYTES` | the link's MTU | packetdrill's `--mtu`, else 1500 |
//! | `local=ADDRESS` | the host's address, once for each family, for sockets that are not bound | packetdrill's `--local_ip`, else 192.168.0.1 and fd3d:fa7b:d17d::1 |
//! | `mss=BYTES` | larger segments that come in are super-segments of that size | packetdrill's `--mss`, else none are |
//! | `strict_segments` | super-segments go out whole | packetdrill's `--strict_segments`, else cut as on a wire |
//! | `no_commands` | nothing is made for the commands of scripts: no interface ([`crate::device`]), no commands ([`crate::stand_ins`]) | both are made |
//! | `net.…=VALUE` | a sysctl, as `ieum drill --sysctls` lists them; `sysctl=` may stand before it | as the namespace has it ([`crate::sysctls`]) |

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ieum_drill::Settings;

/// What the flags say.
#[derive(Clone, Debug)]
pub(crate) struct Flags {
    pub(crate) mtu_bytes: u32,
    /// The host's addresses, one of each family.
    pub(crate) local: [IpAddr; 2],
    pub(crate) mss_bytes: Option<u16>,
    pub(crate) strict_segments: bool,
    /// What commands of scripts expect is made for them.
    pub(crate) commands: bool,
    /// Names and values of sysctls, in the order in which they were given.
    sysctls: Vec<(String, String)>,
}

impl Default for Flags {
    fn default() -> Flags {
        let ip6 = Ipv6Addr::new(0xfd3d, 0xfa7b, 0xd17d, 0, 0, 0, 0, 1);
        Flags {
            mtu_bytes: 1500,
            local: [Ipv4Addr::new(192, 168, 0, 1).into(), ip6.into()],
            mss_bytes: None,
            strict_segments: false,
            commands: true,
            sysctls: Vec::new(),
        }
    }
}

/// The least MTU: what every link has to carry (RFC 791 §3.2).
const MTU_BYTES_MIN: u32 = 68;
/// The largest: an IP packet.
const MTU_BYTES_MAX: u32 = 65_535;

impl Flags {
    /// Reads the text, whose words count for more than what `self` says already. The error says which word is wrong and
    /// what is wanted.
    pub(crate) fn read(self, text: &str) -> Result<Flags, String> {
        let mut flags = self;
        for word in text.split([',', ';']).map(str::trim).filter(|word| !word.is_empty()) {
            let word = word.trim_start_matches("--");
            let (name, value) =
                word.split_once('=').map_or((word, None), |(name, value)| (name, Some(value)));
            flags.set(name.trim(), value.map(str::trim)).map_err(|wanted| format!("{word}: {wanted}"))?;
        }
        Ok(flags)
    }

    /// Takes over what the flags say of sysctls.
    pub(crate) fn apply(&self, settings: &mut Settings) {
        self.sysctls.iter().for_each(|(name, value)| settings.set(name, value));
    }

    /// An address of the host, in the place of the default of its family.
    pub(crate) fn set_local(&mut self, address: IpAddr) {
        self.local[usize::from(address.is_ipv6())] = address;
    }

    fn set(&mut self, name: &str, value: Option<&str>) -> Result<(), &'static str> {
        match (name, value) {
            ("mtu", Some(value)) => {
                let mtu = value.parse().ok().filter(|mtu| (MTU_BYTES_MIN..=MTU_BYTES_MAX).contains(mtu));
                self.mtu_bytes = mtu.ok_or("an MTU is a number of bytes from 68 to 65535")?;
            }
            ("local" | "local_ip", Some(value)) => {
                let address: IpAddr = value.parse().map_err(|_| "no address of IPv4 or IPv6")?;
                self.set_local(address);
            }
            ("mss", Some(value)) => {
                let mss = value.parse().ok().filter(|mss| *mss > 0);
                self.mss_bytes = Some(mss.ok_or("an MSS is a number of bytes from 1 to 65535")?);
            }
            ("strict_segments", None) => self.strict_segments = true,
            ("no_commands", None) => self.commands = false,
            ("sysctl", Some(setting)) => {
                let (name, value) = setting.split_once('=').ok_or("a sysctl is net.….name=value")?;
                self.sysctls.push((name.to_owned(), value.to_owned()));
            }
            (name, Some(value)) if name.starts_with("net.") => {
                self.sysctls.push((name.to_owned(), value.to_owned()));
            }
            (_, _) => {
                return Err(
                    "no such word; there are mtu=, local=, mss=, strict_segments, no_commands and net.…= (sysctls)",
                );
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Flags, String> {
        Flags::default().read(text)
    }

    #[test]
    fn the_last_word_about_a_thing_counts() {
        let flags = read("mtu=1400, --local_ip=10.0.0.1,net.ipv4.tcp_timestamps=0;mtu=1300,").unwrap();
        assert_eq!((flags.mtu_bytes, flags.local[0]), (1300, "10.0.0.1".parse().unwrap()));
        let mut settings = Settings::default();
        flags.apply(&mut settings);
        assert!(!settings.tcp_timestamps);
    }

    #[test]
    fn a_wrong_word_is_named_with_what_is_wanted() {
        let error = |text| read(text).unwrap_err();
        assert_eq!(error("mtu=67"), "mtu=67: an MTU is a number of bytes from 68 to 65535");
        assert_eq!(error("local=here"), "local=here: no address of IPv4 or IPv6");
        assert_eq!(error("sysctl=x"), "sysctl=x: a sysctl is net.….name=value");
        assert!(error("strict_segments,mut=1400").starts_with("mut=1400: no such word"));
    }

    #[test]
    fn a_setting_that_asks_for_what_is_missing_is_kept_by_name() {
        let mut settings = Settings::default();
        read("sysctl=net.ipv4.no_such_thing=1").unwrap().apply(&mut settings);
        assert_eq!(settings.missing, ["net.ipv4.no_such_thing=1"]);
    }
}
