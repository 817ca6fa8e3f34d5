//! `ieum tour` as it is typed.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::io::{Read, Write};
use std::process::{Command, Output, Stdio};

use serde_json::{Value, json};

/// The command, in no language of the machine's.
fn tour(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_ieum"));
    command.arg("tour").args(arguments);
    for name in ["LC_ALL", "LC_MESSAGES", "LANG"] {
        command.env_remove(name);
    }
    command
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// With something typed.
fn typed(arguments: &[&str], input: &str) -> Output {
    let mut command = tour(arguments);
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    child.wait_with_output().unwrap()
}

/// The numbers of the steps that were shown.
fn shown(output: &Output) -> Vec<usize> {
    assert!(output.status.success(), "{output:?}");
    let titles = text(&output.stdout);
    let titles = titles.lines().filter_map(|line| line.strip_prefix('[')?.split_once("/21]"));
    titles.map(|(number, _)| number.parse().unwrap()).collect()
}

#[test]
fn the_facts_are_one_array_with_an_object_for_each_step() {
    let output = tour(&["--json"]).output().unwrap();
    assert!(output.status.success());
    let steps: Value = serde_json::from_slice(&output.stdout).unwrap();
    let step = |name: &str| steps.as_array().unwrap().iter().find(|step| step["step"] == name).unwrap();
    assert_eq!(steps.as_array().unwrap().len(), 21);
    assert_eq!(step("listen")["table"]["rows"][3]["state"], "LISTEN");
    assert_eq!(step("accept")["fd"], 4);
    assert_eq!(step("segments")["sizes"], json!([1460, 1460, 1460, 620]));
    assert_eq!(step("loss")["equal"], true);
    assert_eq!(step("limit")["errno"], "EMFILE");
    assert_eq!(step("refused")["chosen"]["errno"], "EADDRNOTAVAIL");
    let korean = tour(&["--json", "--lang", "ko"]).output().unwrap();
    assert_eq!(output.stdout, korean.stdout, "facts have no language");
}

#[test]
fn both_languages_show_all_steps() {
    for (lang, word) in [("en", "3-way handshake"), ("ko", "3-way 핸드셰이크")] {
        let output = tour(&["--lang", lang]).output().unwrap();
        assert_eq!(shown(&output), (1..=21).collect::<Vec<_>>());
        assert!(text(&output.stdout).contains(word) && text(&output.stdout).contains("ieum run"), "{lang}");
    }
}

#[test]
fn the_language_is_the_locale_s_unless_it_is_typed() {
    let title = "소켓은 번호다";
    let said = |set: &[(&str, &str)], arguments: &[&str]| {
        text(&tour(arguments).envs(set.iter().copied()).output().unwrap().stdout).contains(title)
    };
    assert!(said(&[("LANG", "ko_KR.UTF-8")], &[]));
    assert!(said(&[("LC_MESSAGES", "ko_KR.UTF-8"), ("LANG", "C")], &[]));
    assert!(said(&[("LC_ALL", ""), ("LANG", "ko_KR.UTF-8")], &[]));
    assert!(!said(&[("LC_ALL", "C"), ("LANG", "ko_KR.UTF-8")], &[]));
    assert!(!said(&[("LANG", "ko_KR.UTF-8")], &["--lang", "en"]));
    assert!(!said(&[], &[]));
}

#[test]
fn step_by_step_each_page_waits_for_enter() {
    assert_eq!(shown(&typed(&["--step"], &"\n".repeat(20))), (1..=21).collect::<Vec<_>>());
    assert_eq!(shown(&typed(&["--step"], "\n\nq\n")), [1, 2, 3]);
    assert_eq!(shown(&typed(&["--step"], "q")), [1]);
    // The end of the input: nobody is there, and nothing is waited for.
    assert_eq!(shown(&typed(&["--step"], "")), (1..=21).collect::<Vec<_>>());
    assert_eq!(shown(&typed(&["--step", "--lang", "ko"], "\n\n")), (1..=21).collect::<Vec<_>>());
}

#[test]
fn a_page_is_shown_before_the_next_enter_is_typed() {
    let mut child = tour(&["--step"]).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let (mut input, mut output) = (child.stdin.take().unwrap(), child.stdout.take().unwrap());
    let mut until = |what: &str| {
        let (mut seen, mut byte) = (Vec::new(), [0]);
        while !text(&seen).contains(what) {
            assert_eq!(output.read(&mut byte).unwrap(), 1, "{}", text(&seen));
            seen.extend(byte);
        }
    };
    until("[1/21]");
    until("q: quit] ");
    input.write_all(b"\n").unwrap();
    until("[2/21]");
    until("q: quit] ");
    input.write_all(b"q\n").unwrap();
    assert!(child.wait().unwrap().success());
}

#[test]
fn a_reader_that_has_seen_enough_is_no_failure() {
    for arguments in [&[][..], &["--json"]] {
        let mut child = tour(arguments).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        drop(child.stdout.take());
        let output = child.wait_with_output().unwrap();
        assert!(output.status.success() && output.stderr.is_empty(), "{output:?}");
    }
}

#[test]
fn what_cannot_be_meant_is_said_in_a_sentence() {
    for (arguments, why) in [
        (&["--lang", "fr"][..], "invalid value 'fr'"),
        (&["--step", "--json"], "cannot be used with"),
        (&["now"], "unexpected argument 'now'"),
    ] {
        let output = tour(arguments).output().unwrap();
        assert_eq!(output.status.code(), Some(125), "{arguments:?}");
        let said = text(&output.stderr);
        assert!(
            said.contains(why) && said.contains("ieum tour --help") && said.lines().count() == 1,
            "{said}"
        );
    }
}
