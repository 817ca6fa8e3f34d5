//! What the tool was told about the link: on its command line, and by the options of its script.
//!
//! The interface hands over flags and nothing else; but the process is the tool's own, and its command line is there to
//! be read. The script's options count first and those of the command line after them, as for the tool itself. With
//! several scripts nobody can tell here which one runs, and only the command line counts.

use std::fs;
use std::path::Path;

use ieum_drill::{Link, OPTIONS, Options};

use crate::flags::Flags;

/// Options that are about the link, or about what is read in a script.
const WANTED: [&str; 6] = ["define", "ip_version", "local_ip", "mss", "mtu", "strict_segments"];

/// What this process was told.
pub(crate) fn flags() -> Flags {
    let line = fs::read("/proc/self/cmdline").unwrap_or_default();
    let words: Vec<String> = line
        .split(|byte| *byte == 0)
        .skip(1)
        .map(|word| String::from_utf8_lossy(word).into_owned())
        .collect();
    let (options, scripts) = read(&words);
    let script = match scripts.as_slice() {
        [script] => fs::read_to_string(Path::new(script)).unwrap_or_default(),
        _ => String::new(),
    };
    of(&script, &options)
}

/// The options about the link of a command line, and what are no options.
fn read(words: &[String]) -> (Options, Vec<&str>) {
    let (mut options, mut scripts) = (Options::default(), Vec::new());
    let mut words = words.iter().map(String::as_str).filter(|word| !word.is_empty());
    while let Some(word) = words.next() {
        let option = word.strip_prefix("--").or_else(|| word.strip_prefix('-'));
        let Some(option) = option else {
            scripts.push(word);
            continue;
        };
        let (name, value) =
            option.split_once('=').map_or((option, None), |(name, value)| (name, Some(value)));
        let name = if name == "D" { "define" } else { name };
        let takes =
            name == "define" || OPTIONS.iter().any(|other| other.name == name && other.value.is_some());
        let value = if value.is_none() && takes { words.next() } else { value };
        if WANTED.contains(&name) {
            options.push(name, value);
        }
    }
    (options, scripts)
}

/// What follows from a script and options.
fn of(script: &str, options: &Options) -> Flags {
    let mut flags = Flags::default();
    // The tool says what is wrong with its script and its options; whoever gets here has none.
    let Some(Link { wire, mss_bytes }) = Link::of(script, options) else { return flags };
    flags.mtu_bytes = wire.mtu_bytes;
    flags.strict_segments = wire.whole;
    flags.mss_bytes = mss_bytes;
    wire.addresses.iter().for_each(|address| flags.set_local(*address));
    flags
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(line: &str) -> Vec<String> {
        line.split(' ').map(str::to_owned).collect()
    }

    #[test]
    fn options_are_found_among_others() {
        let line =
            words("--so_filename x.so --mtu=1400 --verbose --mss 1000 -v --ip_version=ipv4 -D A=B one.pkt");
        let (options, scripts) = read(&line);
        assert_eq!(scripts, ["one.pkt"]);
        assert_eq!(options.defines().get("A").map(String::as_str), Some("B"));
        let flags = of("0 `true`", &options);
        assert_eq!((flags.mtu_bytes, flags.mss_bytes, flags.strict_segments), (1400, Some(1000), false));
    }

    #[test]
    fn the_command_line_counts_for_more_than_the_script() {
        let script = "--mtu=1400\n--strict_segments\n--ip_version=ipv6\n0 `true`";
        let flags = of(script, &Options::default());
        assert!(flags.mtu_bytes == 1400 && flags.strict_segments);
        let (options, _) = read(&words("--mtu=1300"));
        assert_eq!(of(script, &options).mtu_bytes, 1300);
    }

    #[test]
    fn a_script_that_cannot_be_read_changes_nothing() {
        assert_eq!(of("no script", &Options::default()).mtu_bytes, 1500);
    }
}
