//! `ieum ss`: the sockets of the user's hosts.

use std::io::{self, Write};
use std::net::SocketAddr;

use ieum_control::{Directory, Kind, Name};
use ieum_engine::complain;
use ieum_run::control::{AskError, Asked, Holder, Row};
use serde_json::{Value, json};

use crate::Failure;
use crate::args::Ss;
use crate::code::Code;

/// Shows what was asked for.
pub(crate) fn ss(ss: &Ss) -> Result<Code, Failure> {
    let directory = Directory::of_user().map_err(|error| Failure::own(error.to_string()))?;
    let hosts = match &ss.within {
        Some(name) => vec![(name.clone(), the_host(&directory, name)?)],
        None => all_hosts(&directory),
    };
    let text = match (ss.drops, ss.json) {
        (false, false) => sections(ss, &answers(&hosts, Asked::sockets), |rows| table(rows)),
        (true, false) => sections(ss, &answers(&hosts, Asked::drops), |counts| counted(counts)),
        (false, true) => array(
            answers(&hosts, Asked::sockets)
                .iter()
                .flat_map(|(name, rows)| rows.iter().map(|row| socket_object(name, row))),
        ),
        (true, true) => array(answers(&hosts, Asked::drops).iter().flat_map(|(name, counts)| {
            counts
                .iter()
                .map(|(reason, count)| json!({ "host": name.as_str(), "reason": reason, "count": count }))
        })),
    };
    match io::stdout().lock().write_all(text.as_bytes()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            Err(Failure::own(format!("cannot write: {error}")))
        }
        // A reader that has gone away has seen enough.
        Ok(()) | Err(_) => Ok(Code::Program(0)),
    }
}

fn the_host(directory: &Directory, name: &Name) -> Result<Asked, Failure> {
    match Asked::new(directory, name) {
        Ok(Some(host)) => Ok(host),
        Ok(None) => {
            let names: Vec<String> = all_hosts(directory).iter().map(|(name, _)| name.to_string()).collect();
            let there = if names.is_empty() { "none".to_owned() } else { names.join(", ") };
            Err(Failure::own(format!("there is no host {name}; there are: {there}")))
        }
        Err(error) => Err(Failure::own(format!("the host {name}: {error}"))),
    }
}

fn all_hosts(directory: &Directory) -> Vec<(Name, Asked)> {
    let asked = |name: Name| Some((name.clone(), Asked::new(directory, &name).ok()??));
    directory.list(Kind::Host).into_iter().filter_map(asked).collect()
}

/// What each host says. One that says nothing is told of and does not keep the others from being shown.
fn answers<T>(hosts: &[(Name, Asked)], ask: impl Fn(&Asked) -> Result<T, AskError>) -> Vec<(Name, T)> {
    let answer = |(name, host): &(Name, Asked)| match ask(host) {
        Ok(answer) => Some((name.clone(), answer)),
        // It ended in the meantime.
        Err(AskError::Gone) => None,
        Err(error) => {
            complain(&format!("the host {name}: {error}"));
            None
        }
    };
    hosts.iter().filter_map(answer).collect()
}

/// One host's text alone, or each under its name.
fn sections<T>(ss: &Ss, answers: &[(Name, T)], text: impl Fn(&T) -> String) -> String {
    let section = |(name, answer): &(Name, T)| match ss.within {
        Some(_) => text(answer),
        None => format!("{name}:\n{}", text(answer)),
    };
    answers.iter().map(section).collect::<Vec<_>>().join("\n")
}

const TITLES: [&str; 7] = ["Process", "Proto", "State", "Recv-Q", "Send-Q", "Local", "Remote"];
/// Which columns are numbers, and so stand at the right.
const NUMBERS: [bool; 7] = [false, false, false, true, true, false, false];

fn table(rows: &[Row]) -> String {
    let lines: Vec<[String; 7]> =
        std::iter::once(TITLES.map(str::to_owned)).chain(rows.iter().map(cells)).collect();
    let mut widths = [0; 7];
    for line in &lines {
        for (width, cell) in widths.iter_mut().zip(line) {
            *width = cell.chars().count().max(*width);
        }
    }
    lines.iter().map(|line| padded(line, &widths)).collect()
}

/// A text of others (a program's name is its own choice) as it may be shown: nothing in it commands a terminal.
fn harmless(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { '?' } else { c }).collect()
}

fn padded(line: &[String; 7], widths: &[usize; 7]) -> String {
    let mut text = String::new();
    for ((cell, width), is_number) in line.iter().zip(widths).zip(NUMBERS) {
        text += &if is_number { format!("{cell:>width$}  ") } else { format!("{cell:width$}  ") };
    }
    text.truncate(text.trim_end().len());
    text + "\n"
}

fn cells(row: &Row) -> [String; 7] {
    let holder =
        |holder: &Holder| format!("{}({},{})", harmless(&holder.command), holder.process, holder.descriptor);
    let holders = row.holders.iter().map(holder).collect::<Vec<_>>().join(" ");
    [
        if holders.is_empty() { "-".to_owned() } else { holders },
        harmless(&row.protocol),
        harmless(&row.state),
        row.recv_queue.to_string(),
        row.send_queue.to_string(),
        endpoint(Some(row.local)),
        endpoint(row.remote),
    ]
}

/// As `ss` writes it: a port that is none is a star.
fn endpoint(address: Option<SocketAddr>) -> String {
    match address {
        None => "*".to_owned(),
        Some(SocketAddr::V4(address)) => format!("{}:{}", address.ip(), port(address.port())),
        Some(SocketAddr::V6(address)) => format!("[{}]:{}", address.ip(), port(address.port())),
    }
}

fn port(port: u16) -> String {
    if port == 0 { "*".to_owned() } else { port.to_string() }
}

fn counted(counts: &[(String, u64)]) -> String {
    let width = counts.iter().map(|(_, count)| count.to_string().len()).max().unwrap_or(0);
    let lines = counts.iter().map(|(reason, count)| format!("{count:>width$}  {}\n", harmless(reason)));
    if counts.is_empty() { "nothing was dropped\n".to_owned() } else { lines.collect() }
}

fn array(objects: impl Iterator<Item = Value>) -> String {
    let text = serde_json::to_string_pretty(&Value::Array(objects.collect()));
    text.expect("numbers, texts and lists of them can be written as JSON") + "\n"
}

fn socket_object(host: &Name, row: &Row) -> Value {
    let process = |holder: &Holder| json!({ "pid": holder.process, "command": holder.command, "fd": holder.descriptor });
    let place = |address: SocketAddr| json!({ "address": address.ip().to_string(), "port": address.port() });
    let mut object = json!({
        "host": host.as_str(),
        "processes": row.holders.iter().map(process).collect::<Vec<_>>(),
        "protocol": row.protocol,
        "state": row.state,
        "local": place(row.local),
        "remote": row.remote.map(place),
    });
    let queues = match row.state.as_str() {
        "LISTEN" => ["accept_queue", "accept_queue_max"],
        _ => ["recv_queue", "send_queue"],
    };
    if let Some(object) = object.as_object_mut() {
        let values = [row.recv_queue, row.send_queue].map(Value::from);
        object.extend(queues.map(str::to_owned).into_iter().zip(values));
    }
    object
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(local: &str, remote: Option<&str>, recv_queue: usize) -> Row {
        Row {
            holders: vec![Holder { process: 12, command: "nginx".into(), descriptor: 3 }],
            protocol: "tcp".into(),
            state: if remote.is_some() { "ESTAB" } else { "LISTEN" }.into(),
            recv_queue,
            send_queue: 511,
            local: local.parse().unwrap(),
            remote: remote.map(|remote| remote.parse().unwrap()),
        }
    }

    #[test]
    fn columns_stand_under_their_titles() {
        let rows = [row("0.0.0.0:80", None, 0), row("[fd77::2]:80", Some("10.77.0.1:51000"), 123_456)];
        assert_eq!(
            table(&rows),
            "Process      Proto  State   Recv-Q  Send-Q  Local         Remote\n\
             nginx(12,3)  tcp    LISTEN       0     511  0.0.0.0:80    *\n\
             nginx(12,3)  tcp    ESTAB   123456     511  [fd77::2]:80  10.77.0.1:51000\n"
        );
    }

    #[test]
    fn a_program_s_name_commands_no_terminal() {
        let mut row = row("0.0.0.0:80", None, 0);
        row.holders[0].command = "\x1b[2J\nweb\u{9b}".into();
        let text = table(&[row]);
        assert!(text.contains("?[2J?web?(12,3)") && text.lines().count() == 2, "{text:?}");
    }

    #[test]
    fn a_listener_s_queues_are_those_of_its_accept_queue() {
        let name = "web".parse().unwrap();
        let object = socket_object(&name, &row("0.0.0.0:80", None, 2));
        assert_eq!(object["accept_queue"], 2);
        assert_eq!(object["accept_queue_max"], 511);
        assert_eq!(object["recv_queue"], Value::Null);
        assert_eq!(socket_object(&name, &row("0.0.0.0:80", Some("10.0.0.1:1"), 2))["recv_queue"], 2);
    }
}
