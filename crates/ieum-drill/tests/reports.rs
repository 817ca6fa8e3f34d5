//! A script that is wrong fails, and the report says where, what was expected and what was seen.

use std::path::Path;

use ieum_drill::{Drill, Options, Outcome};

/// A connection at 0.2 seconds, of a peer that takes 1000 bytes a segment.
const CONNECTED: &str = "\
0 socket(..., SOCK_STREAM, IPPROTO_TCP) = 3
+0 bind(3, ..., ...) = 0
+0 listen(3, 5) = 0
0.1 < S 0:0(0) win 65535 <mss 1000>
+0 > S. 0:0(0) ack 1 win 64240 <mss 1460>
0.2 < . 1:1(0) ack 1 win 65535
+0 accept(3, ..., ...) = 4
";

fn outcome(text: &str) -> Outcome {
    let drill = Drill::new(Options::default()).expect("there is a place to work in");
    drill.run_text("a.pkt", Path::new("."), text).outcome
}

/// The report of a script that goes on where [`CONNECTED`] ends: its first line is the eighth.
fn report(rest: &str) -> String {
    match outcome(&format!("{CONNECTED}{rest}")) {
        Outcome::Failed(report) => report,
        other @ (Outcome::Passed | Outcome::Unsupported { .. }) => panic!("{other:?}"),
    }
}

#[test]
fn a_packet_that_differs_is_shown_beside_the_expected_one() {
    assert_eq!(
        report("0.3 write(4, ..., 100) = 100\n+0 > P. 2:102(100) ack 1"),
        "a.pkt:9: error handling packet: live packet field tcp_seq: expected: 2 (0x2) vs actual: 1 (0x1)\n\
         script packet:  0.300001 P. 2:102(100) ack 1\n\
         actual packet:  0.300000 P. 1:101(100) ack 1 win 64240"
    );
    assert_eq!(
        report("0.3 write(4, ..., 100) = 100\n+0 > . 1:101(100) ack 1 win 9 <nop,nop,nop,nop>"),
        "a.pkt:9: error handling packet: live packet field ipv4_total_length: expected: 144 (0x90) vs actual: 140 (0x8c)\n\
         script packet:  0.300001 . 1:101(100) ack 1 win 9 <nop,nop,nop,nop>\n\
         actual packet:  0.300000 P. 1:101(100) ack 1 win 64240"
    );
}

#[test]
fn every_field_of_a_segment_is_compared() {
    let cases = [
        ("> . 1:101(100) ack 1", "tcp_psh: expected: 0 (0x0) vs actual: 1 (0x1)"),
        ("> FP. 1:101(100) ack 1", "tcp_fin: expected: 1 (0x1) vs actual: 0 (0x0)"),
        ("> P 1:101(100)", "tcp_ack: expected: 0 (0x0) vs actual: 1 (0x1)"),
        ("> PR. 1:101(100) ack 1", "tcp_rst: expected: 1 (0x1) vs actual: 0 (0x0)"),
        ("> PE. 1:101(100) ack 1", "tcp_ece: expected: 1 (0x1) vs actual: 0 (0x0)"),
        ("> P. 1:101(100) ack 7", "tcp_ack_seq: expected: 7 (0x7) vs actual: 1 (0x1)"),
        ("> P. 1:101(100) ack 1 win 5", "tcp_window: expected: 5 (0x5) vs actual: 64240 (0xfaf0)"),
        ("> P. 1:101(100) ack 1 urg 3", "tcp_urg_ptr: expected: 3 (0x3) vs actual: 0 (0x0)"),
        ("> [ttl 9] P. 1:101(100) ack 1", "ttl: expected: 9 (0x9) vs actual: 64 (0x40)"),
        ("> [tos 0x4] P. 1:101(100) ack 1", "tos: expected: 4 (0x4) vs actual: 0 (0x0)"),
        ("> udp (100)", "no matching socket for script packet"),
        ("> P. 1:91(90) ack 1", "live packet payload: expected 90 bytes vs actual 100 bytes"),
    ];
    for (packet, expected) in cases {
        let text = format!("{CONNECTED}0.3 write(4, ..., 100) = 100\n+0 {packet}");
        let (Outcome::Failed(report) | Outcome::Unsupported { failure: Some(report), .. }) = outcome(&text)
        else {
            panic!("{packet}")
        };
        assert!(report.lines().next().unwrap().ends_with(expected), "{packet}: {report}");
    }
}

#[test]
fn parts_that_do_not_make_one_segment_are_shown_one_by_one() {
    assert_eq!(
        report("0.3 write(4, ..., 2500) = 2500\n+0 > P. 1:2401(2400) ack 1"),
        "a.pkt:9: error handling packet: live packet payload: expected 2400 bytes vs actual 2500 bytes\n\
         script packet:  0.300001 P. 1:2401(2400) ack 1\n\
         actual #0 packet:  0.300000 . 1:1001(1000) ack 1 win 64240\n\
         actual #1 packet:  0.300000 P. 1001:2001(1000) ack 1 win 64240\n\
         actual #2 packet:  0.300000 P. 2001:2501(500) ack 1 win 64240"
    );
}

#[test]
fn a_packet_at_the_wrong_time_is_told_with_both_times() {
    assert_eq!(
        report("0.3 write(4, ..., 100) = 100\n0.4 > P. 1:101(100) ack 1"),
        "a.pkt:9: error handling packet: timing error: expected outbound packet at 0.400000 sec but happened at \
         0.300000 sec; tolerance 0.012500 sec\n\
         script packet:  0.400000 P. 1:101(100) ack 1\n\
         actual packet:  0.300000 P. 1:101(100) ack 1 win 64240"
    );
}

#[test]
fn a_packet_that_does_not_come_is_waited_for_two_seconds() {
    assert_eq!(
        report("0.3 > P. 1:101(100) ack 1"),
        "a.pkt:8: error handling packet: Timed out waiting for packet\nscript packet:  0.300000 P. 1:101(100) ack 1"
    );
}

#[test]
fn an_event_that_comes_too_late_is_told() {
    let text = "0.3 write(4, ..., 100) = 100\n* > P. 1:101(100) ack 1\n* > P. 1:101(100) ack 1\n0.31 read(4, ..., 1) = 1";
    let report = report(text);
    let start = "a.pkt:11: timing error: expected system call start at 0.310000 sec but happened at ";
    assert!(report.starts_with(start), "{report}");
}

#[test]
fn a_call_that_answers_otherwise_is_told() {
    assert_eq!(
        report("0.3 recv(4, ..., 100, MSG_DONTWAIT) = 100"),
        "a.pkt:8: runtime error in recv call: Expected result 100 but got -1 with errno 11 (Resource temporarily \
         unavailable)"
    );
    assert_eq!(
        report("0.3 recv(4, ..., 100, MSG_DONTWAIT) = -1 EPIPE (Broken pipe)"),
        "a.pkt:8: runtime error in recv call: Expected errno 32 (Broken pipe) but got 11 (Resource temporarily \
         unavailable)"
    );
    assert_eq!(
        report("0.3 getsockopt(4, SOL_SOCKET, SO_TYPE, [2], [4]) = 0"),
        "a.pkt:8: runtime error in getsockopt call: Bad getsockopt optval: expected: 2 actual: 1"
    );
    assert_eq!(
        report("0.3 poll([{fd=4, events=POLLIN, revents=POLLIN}], 1, 0) = 0"),
        "a.pkt:8: runtime error in poll call: Expected revents of POLLIN|POLLRDNORM but got 0 for pollfd 0"
            .replace("POLLIN|POLLRDNORM", "POLLIN")
    );
    assert_eq!(
        report("0.3 read(9, ..., 1) = 1"),
        "a.pkt:8: runtime error in read call: unable to find fd with script fd 9"
    );
    assert_eq!(
        report("0.3 read(4, ..., 1, 2) = 1"),
        "a.pkt:8: runtime error in read call: Expected 3 args but got 4"
    );
}

#[test]
fn a_call_that_blocks_has_an_end() {
    assert_eq!(
        report("0.3...0.4 read(4, ..., 100) = 100\n0.35 < P. 1:101(100) ack 1 win 65535"),
        "a.pkt:8: timing error: expected system call return at 0.400000 sec but happened at 0.350000 sec; tolerance \
         0.012500 sec"
    );
    assert_eq!(
        report("0.3...0.4 read(4, ..., 100) = 100"),
        "a.pkt:8: runtime error: exiting while a blocking system call is in progress"
    );
    assert_eq!(
        report("0.3 read(4, ..., 100) = 100"),
        "a.pkt:8: runtime error in read call: it blocks, and nothing would ever end it"
    );
    assert_eq!(
        report("0.3...0.4 read(4, ..., 1) = 1\n+0...0.4 read(4, ..., 1) = 1"),
        "a.pkt:9: runtime error in read call: blocking system call while another blocking system call is already in \
         progress"
    );
}

#[test]
fn code_that_does_not_hold_is_told_at_its_line() {
    assert_eq!(
        report("0.3 %{ assert tcpi_snd_cwnd == 11, tcpi_snd_cwnd }%"),
        "a.pkt:8: error in Python code\n    assert tcpi_snd_cwnd == 11, tcpi_snd_cwnd \nAssertionError: 10"
            .replace(" \n", "\n")
    );
}

#[test]
fn a_command_that_fails_is_told() {
    assert_eq!(report("0.3 `exit 3`"), "a.pkt:8: error executing `exit 3` command: non-zero status 3");
}

#[test]
fn what_is_no_script_is_told_with_line_and_column() {
    let cases = [
        ("0 socket(... = 3", "a.pkt:1:14: parse error: expected ')', found '='"),
        ("0 < S 0:0(0) win 1 <mss>", "a.pkt:1:24: parse error: expected the MSS, found '>'"),
        ("--mtu=x\n0 `true`", "a.pkt: 1:1: bad --mtu: x"),
        ("0.5 `true`", "a.pkt:1: first event should be at time 0"),
        (
            "0 `true`\n1 `true`\n0.5 `true`",
            "a.pkt:3: time goes backward in script from 1000000 usec to 500000 usec",
        ),
    ];
    for (text, expected) in cases {
        assert_eq!(outcome(text), Outcome::Failed(expected.to_owned()), "{text}");
    }
}

#[test]
fn what_is_missing_is_named_and_not_failed() {
    let missing = |text: &str| match outcome(&format!("{CONNECTED}{text}")) {
        Outcome::Unsupported { missing, .. } => missing,
        other @ (Outcome::Passed | Outcome::Failed(_)) => panic!("{other:?}"),
    };
    assert_eq!(missing("0.3 psp_tx_assoc(4, 1) = 0"), ["the system call psp_tx_assoc"]);
    assert_eq!(
        missing("0.3 setsockopt(4, SOL_TCP, TCP_NO_SUCH_THING, [1], 4) = 0"),
        ["the constant TCP_NO_SUCH_THING"]
    );
    assert_eq!(missing("0.3 > gre: . 1:1(0)"), ["packets in GRE"]);
    assert_eq!(
        missing(
            "0.3 sendmsg(4, {msg_name(...)=..., msg_iov(1)=[{..., 1}], msg_flags=0, \
             msg_control=[{cmsg_level=SOL_SOCKET, cmsg_type=SO_MARK, cmsg_data=1}]}, 0) = 1"
        ),
        ["control messages"]
    );
    // A setting that is not there does no harm to a script that passes without it.
    assert_eq!(outcome(&format!("`sysctl net.ipv4.tcp_no_such_thing=1`\n{CONNECTED}")), Outcome::Passed);
    let failing =
        outcome(&format!("`sysctl net.ipv4.tcp_no_such_thing=1`\n{CONNECTED}0.3 read(9, ..., 1) = 1"));
    let failure = "a.pkt:9: runtime error in read call: unable to find fd with script fd 9".to_owned();
    assert_eq!(
        failing,
        Outcome::Unsupported {
            missing: vec!["net.ipv4.tcp_no_such_thing=1".to_owned()],
            failure: Some(failure)
        }
    );
}

#[test]
fn an_error_that_is_not_fatal_is_a_warning() {
    let mut options = Options::default();
    options.push("non_fatal", Some("packet,syscall"));
    let text = format!("{CONNECTED}0.3 write(4, ..., 100) = 7\n+0 > P. 2:102(100) ack 1\n");
    let report = Drill::new(options).unwrap().run_text("a.pkt", Path::new("."), &text);
    assert_eq!(report.outcome, Outcome::Passed);
    assert!(report.said[0].starts_with("a.pkt:8: runtime error in write call"), "{:?}", report.said);
    assert!(report.said[1].starts_with("a.pkt:9: warning handling packet"), "{:?}", report.said);
}

/// A word, or an ellipsis in the place of a long number.
fn masked(word: &str) -> &str {
    let digits = word.bytes().filter(u8::is_ascii_digit).count();
    if digits > 6 && !word.contains('.') { "…" } else { word }
}

#[test]
fn each_event_is_shown_to_who_asks() {
    let mut options = Options::default();
    options.push("verbose", None);
    let report = Drill::new(options).unwrap().run_text("a.pkt", Path::new("."), CONNECTED);
    // Numbers are the host's own there, and its choice.
    let said: Vec<String> =
        report.said.iter().map(|line| line.split(' ').map(masked).collect::<Vec<_>>().join(" ")).collect();
    assert_eq!(
        said,
        [
            "socket syscall:  0.000000",
            "bind syscall:  0.000001",
            "listen syscall:  0.000002",
            "inbound injected packet:  0.100000 S 0:0(0) win 65535 <mss 1000>",
            "outbound sniffed packet:  0.100000 S. … ack 1 win 64240 <mss 1460>",
            "inbound injected packet:  0.200000 . 1:1(0) ack … win 65535",
            "accept syscall:  0.200001",
        ]
    );
}
