//! What commands asked for, read from what their stand-ins wrote.

use crate::stop::Stop;

/// Something a command wants of the machine.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Request {
    /// A sysctl.
    Set { name: String, value: String },
    /// The link's MTU.
    Mtu { bytes: u32 },
    /// To wait.
    Sleep { us: i64 },
    /// To forget what was learnt of peers.
    Forget,
    /// To see counters: there are none, which does no harm unless somebody looks for one.
    Counters,
    /// Something that is not there, by name.
    Missing(String),
}

/// The parts of a command that are commands themselves: lines, and what `;` and `&&` separate.
pub(super) fn parts(command: &str) -> Vec<&str> {
    command.split(['\n', ';']).flat_map(|line| line.split("&&")).collect()
}

/// The command with `sysctl` in the place of each part that is given words of the form `/proc/sys/net/…=VALUE`, or that
/// writes a parameter of a module of the kernel.
pub(super) fn rewritten(command: &str) -> String {
    let command = command.replace("\\\n", " ");
    let mut text = command.clone();
    for part in parts(&command) {
        let words = words(part);
        let settings = words.iter().filter_map(|word| word.strip_prefix("/proc/sys/")?.split_once('='));
        let settings: String =
            settings.map(|(name, value)| format!(" '{}={value}'", name.replace('/', "."))).collect();
        if !settings.is_empty() {
            text = text.replacen(part, &format!("sysctl{settings}"), 1);
        } else if let Some(setting) = parameter(part) {
            text = text.replacen(part.trim(), &format!("sysctl '{setting}'"), 1);
        }
    }
    text
}

/// `echo VALUE > /sys/module/MODULE/parameters/NAME`, as a setting: these belong to the machine, not to a script.
fn parameter(part: &str) -> Option<String> {
    let (echo, path) = part.split_once('>')?;
    let name = path.trim().strip_prefix("/sys/module/")?.replace('/', ".");
    let value = echo.trim().strip_prefix("echo ")?.trim();
    Some(format!("module.{name}={value}"))
}

/// The words of a part, as a shell splits them: what stands in double quotes is not split, and loses them.
fn words(part: &str) -> Vec<String> {
    let mut words = vec![String::new()];
    for (at, piece) in part.split('"').enumerate() {
        let quoted = at % 2 == 1;
        for letter in piece.chars() {
            if letter.is_whitespace() && !quoted {
                words.push(String::new());
            } else if let Some(word) = words.last_mut() {
                word.push(letter);
            }
        }
    }
    words.retain(|word| !word.is_empty());
    words
}

fn set(name: &str, value: &str) -> Request {
    Request::Set { name: name.to_owned(), value: value.to_owned() }
}

/// Reads the records of one command.
pub(super) fn read(text: &str) -> Result<Vec<Request>, Stop> {
    let mut requests = Vec::new();
    for record in text.split('\x1e').filter(|record| !record.is_empty()) {
        let words: Vec<&str> = record.split('\x1f').collect();
        match words.as_slice() {
            ["sysctl", rest @ ..] => requests.extend(sysctl(rest)),
            ["sleep", rest @ ..] => requests.extend(sleep(rest)?),
            ["ip", rest @ ..] => requests.extend(ip(rest)),
            ["tc", rest @ ..] => requests.extend(tc(rest)),
            ["ifconfig", _, "mtu", bytes] => requests.extend(mtu(bytes)),
            // Modules are there or are not needed; how a device cuts segments is decided where they are matched.
            ["modprobe" | "rmmod" | "ethtool", ..] => {}
            ["nstat" | "ss", ..] => requests.push(Request::Counters),
            [name, ..] => requests.push(Request::Missing(format!("the command {name}"))),
            [] => {}
        }
    }
    Ok(requests)
}

/// `sysctl -q -w name=value …`; a name alone only asks.
fn sysctl(words: &[&str]) -> Vec<Request> {
    let settings = words.iter().filter(|word| !word.starts_with('-')).filter_map(|word| word.split_once('='));
    settings.map(|(name, value)| set(name.trim(), value.trim())).collect()
}

fn sleep(words: &[&str]) -> Result<Vec<Request>, Stop> {
    let microseconds = |word: &&str| -> Option<i64> {
        let (number, unit) = match word.strip_suffix(['s', 'm']) {
            Some(number) if word.ends_with('m') => (number, 60),
            Some(number) => (number, 1),
            None => (*word, 1),
        };
        let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
        let digits: String = whole.chars().chain(fraction.chars().chain("000000".chars()).take(6)).collect();
        digits.parse::<i64>().ok()?.checked_mul(unit)
    };
    let us = words.iter().map(microseconds).sum::<Option<i64>>();
    Ok(vec![Request::Sleep {
        us: us.ok_or_else(|| Stop::failed(format!("sleep {}: no time", words.join(" "))))?,
    }])
}

/// `ip tcp_metrics flush` forgets what was learnt of peers; the link's MTU can be set; routes have no properties of their own.
fn ip(words: &[&str]) -> Vec<Request> {
    let words: Vec<&str> = words.iter().copied().filter(|word| !word.starts_with('-')).collect();
    match words.as_slice() {
        ["tcp_metrics" | "tcpmetrics" | "tcp_m", ..] => vec![Request::Forget],
        ["link", "set", rest @ ..] => match rest.iter().position(|word| *word == "mtu") {
            Some(at) => mtu(rest.get(at + 1).unwrap_or(&"")),
            None => Vec::new(),
        },
        ["route" | "ro" | "r", rest @ ..] => {
            const PROPERTIES: [&str; 11] = [
                "advmss",
                "congctl",
                "features",
                "hoplimit",
                "initcwnd",
                "initrwnd",
                "mtu",
                "quickack",
                "reordering",
                "rto_min",
                "rtt",
            ];
            let asked: Vec<_> = rest.iter().filter(|word| PROPERTIES.contains(word)).copied().collect();
            let what =
                if asked.is_empty() { "other routes (ip route)".to_owned() } else { of_routes(&asked) };
            vec![Request::Missing(what)]
        }
        [what, ..] => vec![Request::Missing(format!("the command ip {what}"))],
        [] => Vec::new(),
    }
}

fn of_routes(properties: &[&str]) -> String {
    format!("properties of a route: {}", properties.join(", "))
}

/// Queues that only wait do nothing here, for a link waits for nobody; others would delay, drop or pace.
fn tc(words: &[&str]) -> Vec<Request> {
    let kind = ["pfifo", "pfifo_fast", "bfifo", "noqueue", "fq_codel", "mq"];
    let plain = words.iter().any(|word| kind.contains(word));
    let limited = words.windows(2).any(|pair| pair == ["limit", "0"]);
    let removed = words.iter().any(|word| matches!(*word, "del" | "delete"));
    let what = if limited {
        "a queue that drops everything (tc … limit 0)".to_owned()
    } else if plain || removed {
        return Vec::new();
    } else {
        let known = ["netem", "fq", "tbf", "clsact", "ingress"];
        let what = words.iter().find(|word| known.contains(word)).unwrap_or(&"…");
        format!("a queue with rules (tc {what})")
    };
    vec![Request::Missing(what)]
}

fn mtu(bytes: &str) -> Vec<Request> {
    bytes.parse().map(|bytes| Request::Mtu { bytes }).into_iter().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_stands_in_quotes_is_one_word() {
        let command = "set /proc/sys/net/ipv4/tcp_wmem=\"4096 1 2\" /proc/sys/a=3";
        assert_eq!(rewritten(command), "sysctl 'net.ipv4.tcp_wmem=4096 1 2' 'a=3'");
    }

    #[test]
    fn parameters_of_modules_are_settings_and_not_written() {
        let command = "./x.sh\necho 3 > /sys/module/tcp_cubic/parameters/hystart_detect\n";
        assert_eq!(rewritten(command), "./x.sh\nsysctl 'module.tcp_cubic.parameters.hystart_detect=3'\n");
    }

    fn of(command: &str) -> Vec<Request> {
        read(&format!("{}\x1e", command.replace(' ', "\x1f"))).unwrap()
    }

    #[test]
    fn what_has_no_meaning_is_named() {
        let missing = |what: &str| vec![Request::Missing(what.to_owned())];
        assert_eq!(of("ip tcp_metrics flush all"), [Request::Forget]);
        assert_eq!(of("ip link set dev tun0 mtu 1400"), [Request::Mtu { bytes: 1400 }]);
        assert_eq!(of("ip -6 route change ::1 mtu lock 1500"), missing("properties of a route: mtu"));
        assert_eq!(of("tc qdisc add dev tun0 root pfifo"), []);
        assert_eq!(of("tc qdisc add dev tun0 root netem loss 1"), missing("a queue with rules (tc netem)"));
        assert_eq!(
            of("tc qdisc add dev tun0 root pfifo limit 0"),
            missing("a queue that drops everything (tc … limit 0)")
        );
        assert_eq!(of("iptables -F"), missing("the command iptables"));
        assert_eq!(of("sleep 2m"), [Request::Sleep { us: 120_000_000 }]);
    }
}
