//! `ieum lab` as it is typed.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::process::{Command, Output};

fn lab(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_ieum")).arg("lab").args(arguments).output().unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[test]
fn worlds_are_run_by_seed_and_by_range_and_summed_up() {
    let output = lab(&["sim", "7", "1..5"]);
    assert!(output.status.success(), "{}", text(&output.stdout));
    assert!(text(&output.stdout).starts_with("6 worlds, 0 failed"), "{}", text(&output.stdout));
}

#[test]
fn the_sum_of_the_same_worlds_is_the_same_however_many_run_at_once() {
    let [one, four] = ["1", "4"].map(|jobs| lab(&["sim", "1..8", "--json", "--jobs", jobs]));
    assert_eq!(text(&one.stdout), text(&four.stdout));
    let sum: serde_json::Value = serde_json::from_slice(&one.stdout).unwrap();
    assert_eq!((sum["worlds"].as_u64(), sum["failed"].as_array().map(Vec::len)), (Some(8), Some(0)));
    assert!(sum["stream_bytes"].as_u64().unwrap() > 0);
}

#[test]
fn a_history_says_what_the_world_is_made_of_and_what_happened_last() {
    let output = lab(&["sim", "7", "--history=10"]);
    let said = text(&output.stdout);
    assert!(
        said.contains("host 0: ") && said.contains("all is well") && said.contains("lines before these"),
        "{said}"
    );
}

#[test]
fn a_conversation_and_a_flow_are_drawn() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("flow.svg");
    let picture = path.to_str().unwrap();
    assert!(lab(&["sim", "7", "--plot", picture]).status.success());
    assert!(std::fs::read_to_string(&path).unwrap().contains("cwnd"));
    let output = lab(&["flow", "--duration", "2", "--rate", "10", "--plot", picture, "--json"]);
    let outcome: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert!(outcome["mbits"].as_f64().unwrap() > 5.0, "{outcome}");
    assert!(std::fs::read_to_string(&path).unwrap().contains("cubic: 1 through 10 Mbit/s"));
}

#[test]
fn what_cannot_be_meant_is_said_in_a_sentence() {
    for (arguments, why) in [
        (&["sim", "x"][..], "`x` is no seed"),
        (&["sim", "9..3"], "a range of seeds goes upwards: 3..9"),
        (&["sim", "1..3", "--plot", "x.svg"], "give one seed"),
        (&["sim", "7", "--plot", "x.svg", "--flow", "99"], "world 7 has"),
        (&["flow", "--congestion", "vegas"], "`vegas` is none of"),
        (&["flow", "--loss", "101"], "0 to 100"),
        (&["flow", "--plot", "x.svg", "--flow", "1"], "there are 1 flows"),
    ] {
        let output = lab(arguments);
        assert_eq!(output.status.code(), Some(125), "{arguments:?}");
        assert!(text(&output.stderr).contains(why), "{arguments:?}: {}", text(&output.stderr));
    }
}
