//! The tour's facts, whatever the seed, and its pages in both languages.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking, in its helpers too")]

use std::collections::BTreeSet;

use ieum_tour::{Language, Tour};
use serde_json::{Value, json};
use unicode_width::UnicodeWidthStr;

/// Numbers differ from seed to seed; what is told does not.
const SEEDS: std::ops::Range<u64> = 1..9;

const LANGUAGES: [Language; 2] = [Language::English, Language::Korean];

const STEPS: [&str; 21] = [
    "socket",
    "bind",
    "listen",
    "connect",
    "accept",
    "clients",
    "views",
    "both-ways",
    "segments",
    "loss",
    "half-close",
    "time-wait",
    "datagrams",
    "multicast",
    "datagram-lost",
    "ephemeral",
    "shared-port",
    "refused",
    "limit",
    "backlog",
    "forward",
];

/// Looks at a step of many tours.
fn each(step: &str, look: impl Fn(&Value)) {
    for seed in SEEDS {
        let json = Tour::new(seed).unwrap().json();
        look(json.as_array().unwrap().iter().find(|object| object["step"] == step).unwrap());
    }
}

/// Values of a field in a list of objects, in their order.
fn all(list: &Value, field: &str) -> Vec<Value> {
    list.as_array().unwrap().iter().map(|object| object[field].clone()).collect()
}

/// Values of a field of the events that are packets and have it.
fn frames(events: &Value, of: impl Fn(&Value) -> bool, field: &str) -> Vec<Value> {
    let events = events.as_array().unwrap().iter();
    events.filter(|event| event["event"] == "frame" && of(event)).map(|frame| frame[field].clone()).collect()
}

/// The states that a host went through, in their order.
fn states(events: &Value, host: &str) -> Vec<String> {
    let events = events.as_array().unwrap().iter();
    let of_host = events.filter(|event| event["event"] == "state" && event["host"] == host);
    of_host.map(|event| event["state"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn all_steps_are_there_in_their_order() {
    let json = Tour::new(1).unwrap().json();
    let steps = json.as_array().unwrap();
    assert_eq!(all(&json, "step"), STEPS);
    assert!(steps.iter().zip(1..).all(|(step, number)| step["number"] == number && step["of"] == 21));
}

#[test]
fn the_same_seed_gives_the_same_facts_and_another_one_others() {
    let [one, again, other] = [1, 1, 2].map(|seed| Tour::new(seed).unwrap().json());
    assert_eq!(one, again);
    let connect = |json: &Value| (json[3]["syn"]["seq"].clone(), json[3]["socket"]["local"].clone());
    assert_ne!(connect(&one), connect(&other));
}

#[test]
fn descriptors_begin_with_three_and_the_fourth_comes_to_listen() {
    each("socket", |facts| {
        assert_eq!(all(&facts["before"]["rows"], "fd"), [0, 1, 2]);
        assert_eq!(all(&facts["after"]["rows"], "fd"), [0, 1, 2, 3]);
        assert_eq!(facts["after"]["rows"][3]["state"], "UNCONN");
    });
    each("bind", |facts| assert_eq!(facts["table"]["rows"][3]["local"], "10.0.0.1:80"));
    each("listen", |facts| {
        assert_eq!(facts["table"]["rows"][3]["state"], "LISTEN");
        assert_eq!(facts["frames"], 0);
    });
    each("accept", |facts| {
        assert_eq!(facts["fd"], 4);
        assert_eq!(all(&facts["table"]["rows"], "fd"), [0, 1, 2, 3, 4]);
        assert_eq!(all(&facts["table"]["rows"], "state")[3..], ["LISTEN", "ESTAB"]);
        assert_eq!(facts["table"]["rows"][4]["remote"], facts["peer"]);
    });
}

#[test]
fn the_handshake_is_three_segments_that_acknowledge_each_other() {
    each("connect", |facts| {
        assert_eq!(frames(&facts["events"], |_| true, "flags"), ["SYN", "SYN ACK", "ACK"]);
        assert_eq!((&facts["segments"], &facts["syn_counts"]), (&json!(3), &json!(1)));
        let number = |frame: &str, field: &str| u32::try_from(facts[frame][field].as_u64().unwrap()).unwrap();
        assert_eq!(number("syn_ack", "ack"), number("syn", "seq").wrapping_add(1));
        assert_eq!(number("ack", "ack"), number("syn_ack", "seq").wrapping_add(1));
        for frame in ["syn", "syn_ack"] {
            assert!(all_texts(&facts[frame]["options"]).contains(&"mss=1460".to_owned()));
        }
        assert_eq!(states(&facts["events"], "client-a"), ["SYN-SENT", "ESTAB"]);
        assert_eq!(states(&facts["events"], "server"), ["SYN-RECV", "ESTAB"]);
        assert_eq!(facts["listener"]["recv_queue"], 1);
        assert_eq!(all(&facts["server"]["without_descriptor"], "state"), ["ESTAB"]);
    });
}

fn all_texts(list: &Value) -> Vec<String> {
    list.as_array().unwrap().iter().map(|text| text.as_str().unwrap().to_owned()).collect()
}

#[test]
fn three_clients_on_one_port_are_three_tuples_and_three_descriptors() {
    each("clients", |facts| {
        let connections = &facts["connections"];
        assert_eq!(all(connections, "fd"), [4, 5, 6]);
        assert!(all(connections, "local").iter().all(|local| local == "10.0.0.1:80"));
        let remotes: BTreeSet<String> =
            all_texts(&Value::Array(all(connections, "remote"))).into_iter().collect();
        assert_eq!(remotes.len(), 3);
        assert_eq!([&facts["clients"], &facts["more"], &facts["port"]], [3, 2, 80]);
    });
    each("views", |facts| {
        assert_eq!(all(&facts["segments"], "fd"), [4, 5, 6]);
        assert_eq!(all(&facts["segments"], "source"), all(&facts["connections"], "remote"));
        assert_eq!(all(&facts["segments"], "text"), ["A speaks", "B speaks", "C speaks"]);
        // One socket for all, found by its address and port.
        let socket = &facts["datagram_socket"];
        assert!(all(&facts["datagrams"], "fd").iter().all(|fd| *fd == socket["fd"]));
        assert!(all(&facts["datagrams"], "destination").iter().all(|to| *to == socket["local"]));
        assert_eq!(all(&facts["datagrams"], "text"), ["A speaks", "B speaks", "C speaks"]);
        assert_eq!(facts["senders"], 3);
    });
}

#[test]
fn both_directions_are_used_at_the_same_moment() {
    each("both-ways", |facts| {
        assert_eq!(facts["sent_at_ms"], json!([0.0, 0.0]));
        assert_eq!([&facts["to_server"], &facts["to_client"]], ["to the server", "to the client"]);
    });
}

#[test]
fn five_thousand_bytes_are_1460_1460_1460_and_620() {
    each("segments", |facts| {
        assert_eq!(facts["written"], 5000);
        assert_eq!(facts["sizes"], json!([1460, 1460, 1460, 620]));
        assert_eq!(
            (&facts["mtu"], &facts["mss"], &facts["headers"]),
            (&json!(1500), &json!(1460), &json!(40))
        );
        assert_eq!((&facts["received"], &facts["equal"]), (&json!(5000), &json!(true)));
    });
}

#[test]
fn a_lost_segment_is_sent_again_and_nothing_is_read_out_of_order() {
    each("loss", |facts| {
        let (lost, again) = (&facts["lost"], &facts["again"]);
        assert_eq!((&lost["lost"], &again["again"]), (&json!(true), &json!(true)));
        assert_eq!(facts["losses"], 1);
        assert_eq!((&lost["seq"], &lost["bytes"]), (&again["seq"], &again["bytes"]));
        assert!(again["at_ms"].as_f64() > lost["at_ms"].as_f64());
        assert_eq!(facts["readable"], 1460);
        assert_eq!((&facts["received"], &facts["equal"]), (&json!(5000), &json!(true)));
        let sizes =
            frames(&facts["events"], |frame| frame["from"] == "client-a" && frame["bytes"] != 0, "bytes");
        assert_eq!(sizes, [1460, 1460, 1460, 620, 1460]);
    });
}

#[test]
fn the_end_goes_through_the_states_of_rfc_9293() {
    each("half-close", |facts| {
        assert_eq!(states(&facts["events"], "client-a"), ["FIN-WAIT-1", "FIN-WAIT-2"]);
        assert_eq!(states(&facts["events"], "server"), ["CLOSE-WAIT"]);
        assert_eq!(facts["end_of_file"], 0);
        assert_eq!(facts["answer"], "I can still answer");
    });
    each("time-wait", |facts| {
        assert_eq!(states(&facts["events"], "server"), ["LAST-ACK", "CLOSED"]);
        assert_eq!(states(&facts["events"], "client-a"), ["TIME-WAIT"]);
        assert_eq!(facts["client"]["without_descriptor"][0]["state"], "TIME-WAIT");
        assert_eq!(facts["refused"]["errno"], "EADDRINUSE");
        assert_eq!(facts["time_wait_ms"], 60_000.0);
        assert_eq!(all(&facts["server"]["rows"], "fd"), [0, 1, 2, 3, 5, 6]);
    });
}

#[test]
fn datagrams_need_no_connection_and_say_whose_they_are() {
    each("datagrams", |facts| {
        assert_eq!((&facts["sent"], &facts["frames"]), (&json!(4), &json!(4)));
        assert_eq!(all(&facts["received"], "text"), ["hello from A", "hello from B"]);
        let sources = frames(&facts["events"], |frame| frame["to"] == "server", "source");
        assert_eq!(sources, all(&facts["received"], "from"));
        assert_eq!(facts["table"]["rows"][3]["state"], "UNCONN");
        assert!(facts["table"].get("without_descriptor").is_none());
    });
}

#[test]
fn a_group_is_reached_by_one_datagram_and_heard_by_its_members() {
    each("multicast", |facts| {
        assert_eq!((&facts["frames"], &facts["hearers"]), (&json!(1), &json!(2)));
        assert_eq!((&facts["members"], &facts["others"]), (&json!(2), &json!(1)));
        assert_eq!(all(&facts["heard"], "joined"), [true, true, false]);
        assert_eq!(
            all(&facts["heard"], "text"),
            [json!("to all of you"), json!("to all of you"), Value::Null]
        );
    });
}

#[test]
fn a_lost_datagram_is_not_sent_again() {
    each("datagram-lost", |facts| {
        assert_eq!(facts["received"], json!(["one", "three"]));
        assert_eq!((&facts["lost"]["lost"], &facts["lost"]["text"]), (&json!(true), &json!("two")));
        assert_eq!([&facts["sent"], &facts["frames"], &facts["losses"]], [3, 3, 1]);
        assert_eq!(facts["waited_ms"], 60_000.0);
    });
}

#[test]
fn who_names_no_port_is_given_one_of_the_range() {
    each("ephemeral", |facts| {
        assert_eq!(facts["before"], "0.0.0.0:0");
        assert_eq!(facts["range"], json!([32_768, 60_999]));
        let ports = facts["ports"].as_array().unwrap();
        let ports: BTreeSet<u64> = ports.iter().map(|port| port.as_u64().unwrap()).collect();
        assert!(ports.len() == 3 && ports.iter().all(|port| (32_768..=60_999).contains(port)), "{ports:?}");
    });
}

#[test]
fn local_ends_are_shared_when_remotes_differ_and_the_same_pair_is_refused() {
    each("shared-port", |facts| {
        assert_eq!(facts["range"], json!([40_000, 40_001]));
        assert_eq!(facts["locals"], json!(["10.0.0.4:40000", "10.0.0.4:40001"]));
        assert_eq!((&facts["made"], &facts["worked"]), (&json!(6), &json!(6)));
        assert_eq!([&facts["ports"], &facts["remotes"], &facts["times"]], [2, 3, 2]);
        let pair = |connection: &Value| format!("{} {}", connection["local"], connection["remote"]);
        let pairs: BTreeSet<String> = facts["connections"].as_array().unwrap().iter().map(pair).collect();
        assert_eq!(pairs.len(), 6);
    });
    each("refused", |facts| {
        assert_eq!(facts["chosen"]["errno"], "EADDRNOTAVAIL");
        assert_eq!(facts["named"]["bind_errno"], "EADDRINUSE");
        assert_eq!(facts["named"]["connect_errno"], "EADDRNOTAVAIL");
    });
}

#[test]
fn a_full_descriptor_table_says_emfile_and_the_server_lives_on() {
    each("limit", |facts| {
        assert_eq!((&facts["limit"], &facts["errno"]), (&json!(6), &json!("EMFILE")));
        assert_eq!(facts["clients"], 3);
        assert_eq!(all(&facts["full"]["rows"], "fd"), [0, 1, 2, 3, 4, 5]);
        assert_eq!(facts["waiting"]["state"], "ESTAB");
        assert_eq!(facts["answer"], "I am");
        assert_eq!((&facts["freed"], &facts["fd"]), (&json!(5), &json!(5)));
        assert_eq!(facts["peer"], facts["waiting"]["remote"]);
    });
}

#[test]
fn a_full_backlog_drops_syns_until_there_is_room() {
    each("backlog", |facts| {
        let listener = &facts["listener"];
        assert_eq!((&listener["recv_queue"], &listener["send_queue"]), (&json!(2), &json!(1)));
        assert_eq!(facts["connected"], 2);
        assert_eq!(facts["syn_at_ms"], json!([0.0, 1000.0, 2000.0]));
        assert_eq!((&facts["dropped"], &facts["reason"]), (&json!(2), &json!("tcp accept queue full")));
        assert_eq!(states(&facts["events"], "client-c"), ["SYN-SENT", "ESTAB"]);
    });
}

#[test]
fn a_forwarded_port_is_two_connections_and_the_same_bytes() {
    each("forward", |facts| {
        assert_eq!((&facts["from"], &facts["to"]), (&json!(80), &json!(8080)));
        assert_eq!(all(&facts["connections"], "fd"), [4, 5]);
        assert_eq!(facts["count"], 2);
        assert_eq!(facts["connections"][0]["local"], "10.0.0.2:80");
        assert_eq!(facts["connections"][1]["remote"], "10.0.0.3:8080");
        assert_eq!(facts["server_sees"], facts["connections"][1]["local"]);
        assert_eq!([&facts["request"], &facts["answer"]], ["GET / HTTP/1.0", "HTTP/1.0 200 OK"]);
        assert_eq!((&facts["carried"], &facts["ended"]), (&json!([14, 15]), &json!(true)));
    });
}

#[test]
fn pages_have_eighty_columns_in_both_languages() {
    for seed in SEEDS {
        for language in LANGUAGES {
            let pages = Tour::new(seed).unwrap().pages(language);
            assert_eq!(pages.len(), STEPS.len());
            let wide: Vec<&str> =
                pages.iter().flat_map(|page| page.lines()).filter(|line| line.width() > 80).collect();
            assert!(wide.is_empty(), "seed {seed}, {language:?}: {wide:#?}");
        }
        for language in LANGUAGES {
            let around = [ieum_tour::welcome(language), ieum_tour::farewell(language)].concat();
            assert!(around.lines().all(|line| line.width() <= 80), "{around}");
        }
    }
}

#[test]
fn whatever_a_page_quotes_stands_in_the_facts() {
    for seed in SEEDS {
        let tour = Tour::new(seed).unwrap();
        let json = tour.json();
        for language in LANGUAGES {
            for (page, facts) in tour.pages(language).iter().zip(json.as_array().unwrap()) {
                let facts = facts.to_string().replace("\\\"", "\"");
                let numbers = numbers(&facts);
                // Words of the textbooks, not facts.
                let words = ["4-tuple", "5-tuple"];
                let page = words.iter().fold(page.clone(), |page, word| page.replace(word, ""));
                for quoted in self::numbers(&page) {
                    assert!(numbers.contains(&quoted), "{quoted} is no fact of {facts}\n{page}");
                }
                for quoted in words_of(&page) {
                    assert!(facts.contains(&quoted), "{quoted} is no fact of {facts}\n{page}");
                }
            }
        }
    }
}

/// Runs of digits.
fn numbers(text: &str) -> BTreeSet<String> {
    let runs = text.split(|c: char| !c.is_ascii_digit()).filter(|run| !run.is_empty());
    runs.map(str::to_owned).collect()
}

/// Addresses with ports, errors, and states of connections.
fn words_of(text: &str) -> Vec<String> {
    let is_inside = |c: char| c.is_ascii_alphanumeric() || ".:-".contains(c);
    let words = text.split(|c| !is_inside(c)).map(|word| word.trim_matches(['.', ':', '-']));
    let is_address = |word: &str| word.parse::<std::net::SocketAddr>().is_ok();
    let is_errno =
        |word: &str| word.len() > 5 && word.starts_with('E') && word.chars().all(|c| c.is_ascii_uppercase());
    let is_state = |word: &str| {
        ["LISTEN", "ESTAB", "UNCONN", "CLOSED"].contains(&word)
            || word.contains("-WAIT")
            || ["SYN-SENT", "SYN-RECV", "LAST-ACK"].contains(&word)
    };
    words.filter(|word| is_address(word) || is_errno(word) || is_state(word)).map(str::to_owned).collect()
}
