//! The header, and programs in C and C++ that are compiled with it and linked to the library.
#![allow(clippy::unwrap_used, reason = "in tests, what must not fail may panic")]

use std::path::{Path, PathBuf};
use std::process::Command;

fn file(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

/// Whether the machine has a compiler. If not, says so; under `CI` that is a failure.
fn has(compiler: &str) -> bool {
    let has = Command::new(compiler).arg("--version").output().is_ok_and(|output| output.status.success());
    let advice =
        format!("`{compiler}` is missing, so this test proves nothing: see scripts/install-test-peers.sh");
    assert!(has || std::env::var_os("CI").is_none(), "{advice}");
    if !has {
        println!("{advice}");
    }
    has
}

/// Compiles a program, runs it, and asks that it prints that.
fn prints(compiler: &str, arguments: &[&str], source: &str, expected: &str) {
    if has(compiler) {
        assert_eq!(run(compiler, arguments, source), expected);
    }
}

/// Compiles a program, runs it, and gives what it printed.
fn run(compiler: &str, arguments: &[&str], source: &str) -> String {
    let folder = tempfile::tempdir().unwrap();
    let program = folder.path().join("program");
    // Built beside this test, under the name of this crate; to programs it is libieum.so.
    let built = std::env::current_exe().unwrap().with_file_name("libieum_c.so");
    std::os::unix::fs::symlink(built, folder.path().join("libieum.so")).unwrap();
    let compiled = Command::new(compiler)
        .args(["-Wall", "-Wextra", "-Wpedantic", "-Werror", "-pthread"])
        .args(arguments)
        .arg("-I")
        .arg(file("include"))
        .arg("-o")
        .arg(&program)
        .arg(file(source))
        .arg("-L")
        .arg(folder.path())
        .args(["-lieum", &format!("-Wl,-rpath,{}", folder.path().display())])
        .output()
        .unwrap();
    assert!(compiled.status.success(), "{}", String::from_utf8_lossy(&compiled.stderr));
    // Cargo's would go before the program's own, and may have another library of that name.
    let ran = Command::new(&program).env_remove("LD_LIBRARY_PATH").output().unwrap();
    let told = String::from_utf8_lossy(&ran.stderr).into_owned();
    assert!(ran.status.success(), "{told}");
    String::from_utf8(ran.stdout).unwrap()
}

#[test]
fn the_header_is_what_cbindgen_makes_of_the_doors() {
    let made = cbindgen::Builder::new()
        .with_config(cbindgen::Config::from_file(file("cbindgen.toml")).unwrap())
        .with_src(file("src/lib.rs"))
        .generate()
        .unwrap();
    let mut bytes = Vec::new();
    made.write(&mut bytes);
    let (made, header) = (String::from_utf8(bytes).unwrap(), file("include/ieum.h"));
    if std::env::var_os("IEUM_WRITE_HEADER").is_some() {
        std::fs::write(&header, &made).unwrap();
    }
    let written = std::fs::read_to_string(&header).unwrap();
    assert!(
        written == made,
        "ieum.h is not what the doors say: IEUM_WRITE_HEADER=1 cargo test -p ieum-c writes it"
    );
}

#[test]
fn the_example_in_c_echoes_between_two_hosts() {
    let printed = "accepted from 10.1.0.2\nthrough a TCP of its own\n";
    prints("gcc", &["-std=c11", "-D_GNU_SOURCE"], "examples/echo.c", printed);
}

#[test]
fn every_call_answers_c_as_linux_does() {
    prints("gcc", &["-std=c11", "-D_GNU_SOURCE"], "tests/calls.c", "all holds\n");
}

#[test]
fn the_header_is_cpp_too() {
    prints("g++", &["-std=c++17"], "tests/header.cpp", "1\n");
}
