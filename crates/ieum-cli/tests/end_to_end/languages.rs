//! Programs whose runtimes wait for sockets each in a way of its own: Go (statically linked), Node, Java, Python, redis
//! and dig, all started by an ordinary user.

use std::fs;

use super::support::{Folder, Running, User, free_port, go_compiled, path_of, peers, script};

/// Connections that a client of these programs opens at once.
const CONNECTIONS: &str = "300";

/// Go's server and client, each in a process of its own.
struct Go {
    program: String,
    _folder: Folder,
}

impl Go {
    fn build() -> Go {
        let folder = Folder::new();
        let program = go_compiled("go", &folder);
        let bytes = fs::read(&program).expect("the program can be read");
        let loader = b"/ld-linux";
        assert!(!bytes.windows(loader.len()).any(|part| part == loader), "the program is linked dynamically");
        Go { program, _folder: folder }
    }
}

/// What a client says whose connections all got their own bytes back.
fn all_good() -> String {
    format!("{CONNECTIONS} of {CONNECTIONS} connections got their own bytes")
}

/// Tells the shell a client's command, and hears that all was well.
fn good(shell: &mut Running, client: &str) {
    shell.tell(&format!("{client} </dev/null"));
    assert_eq!(shell.line(&format!("{} of ", CONNECTIONS)), all_good(), "{client}");
}

/// `command` with the words for where its server is.
fn at(command: &str, address: &str, port: u16) -> String {
    command.replace("ADDRESS", address).replace("PORT", &port.to_string())
}

/// `server` in a host of its own is asked by `client` beside it and by one on the machine; then `client` in a host of its
/// own asks `server` on the machine.
fn serves_and_is_asked(user: &User, server: &str, client: &str) {
    let on_machine = |command: String| user.start(&user.words(&["sh", "-c", &format!("exec {command}")]));
    let mut shell = user.shell(&["-p", "0:7000"]);
    let published = shell.published();
    shell.tell(&format!("{} &", at(server, "0.0.0.0", 7000)));
    shell.line("ready");
    good(&mut shell, &at(client, "127.0.0.1", 7000));
    let printed = on_machine(at(client, "127.0.0.1", published.port())).finish().success();
    assert_eq!(printed.trim_end(), all_good());
    let finished = shell.finish();
    assert_eq!(finished.stderr.lines().count(), 1, "{finished:?}");

    let port = free_port();
    let mut service = on_machine(at(server, "127.0.0.1", port));
    service.line("ready");
    let mut shell = user.shell(&[]);
    good(&mut shell, &at(client, "10.77.0.1", port));
    assert_eq!(shell.finish().success(), all_good() + "\n");
}

#[test]
fn a_statically_linked_go_program_serves_and_is_asked() {
    if !peers(&["go"]) {
        return;
    }
    let Some(user) = User::new() else { return };
    let go = Go::build();
    let (server, client) = (
        format!("{} serve ADDRESS:PORT", go.program),
        format!("{} call ADDRESS:PORT {CONNECTIONS}", go.program),
    );
    serves_and_is_asked(&user, &server, &client);
}

#[test]
fn goroutines_of_one_process_talk_to_each_other() {
    if !peers(&["go"]) {
        return;
    }
    let Some(user) = User::new() else { return };
    let go = Go::build();
    let words = user.ieum(&[], &[&go.program, "both", "127.0.0.1:0", CONNECTIONS]);
    assert_eq!(user.start(&words).finish().success().trim_end(), all_good());
}

#[test]
fn a_node_program_serves_and_is_asked() {
    if !peers(&["node"]) {
        return;
    }
    let Some(user) = User::new() else { return };
    let (node, program) = (path_of("node"), user.bring(&script("echo.js"), "echo.js"));
    let (server, client) = (
        format!("{node} {program} serve ADDRESS PORT"),
        format!("{node} {program} call ADDRESS PORT {CONNECTIONS}"),
    );
    serves_and_is_asked(&user, &server, &client);
}

#[test]
fn a_java_program_with_a_thread_for_each_connection_serves_and_is_asked() {
    java("");
}

#[test]
fn a_java_program_with_a_selector_serves_and_is_asked() {
    java("selector");
}

fn java(how: &str) {
    if !peers(&["java", "javac"]) {
        return;
    }
    let Some(user) = User::new() else { return };
    let (java, program) = (path_of("java"), user.bring(&script("Echo.java"), "Echo.java"));
    let (server, client) = (
        format!("{java} {program} serve ADDRESS PORT {how}"),
        format!("{java} {program} call ADDRESS PORT {CONNECTIONS}"),
    );
    serves_and_is_asked(&user, &server, &client);
}

#[test]
fn python_programs_of_an_ordinary_user_serve_and_are_asked() {
    if !peers(&["python3"]) {
        return;
    }
    let Some(user) = User::new() else { return };
    let python = path_of("python3");
    let (threads, asyncio, datagrams) = (
        user.bring(&script("echo_threads.py"), "echo_threads.py"),
        user.bring(&script("echo_asyncio.py"), "echo_asyncio.py"),
        user.bring(&script("echo_udp.py"), "echo_udp.py"),
    );
    let mut shell = user.shell(&[]);
    shell.tell(&format!("{python} {threads} 50 </dev/null"));
    assert_eq!(shell.line("50 of "), "50 of 50 threads got their own bytes");
    shell.tell(&format!("{python} {asyncio} both 127.0.0.1 7 200 </dev/null"));
    assert_eq!(shell.line("200 of "), "200 of 200 clients got their own bytes");
    shell.tell(&format!("{python} {datagrams} both 300 </dev/null"));
    assert_eq!(shell.line("600 of "), "600 of 600 datagrams came back");
    shell.finish().success();
}

#[test]
fn redis_of_an_ordinary_user_is_asked_by_its_benchmark() {
    if !peers(&["redis-server", "redis-benchmark", "redis-cli"]) {
        return;
    }
    let Some(user) = User::new() else { return };
    let program = user.bring(&script("redis.sh"), "redis.sh");
    let printed = user.start(&user.ieum(&[], &["sh", &program, &user.home().file("")])).finish().success();
    for test in ["SET: ", "GET: "] {
        let result = printed.split(['\r', '\n']).rfind(|line| line.starts_with(test));
        assert!(result.is_some_and(|line| line.contains("requests per second")), "{printed}");
    }
}

#[test]
fn dig_asks_a_name_server_on_port_53_of_its_own_host() {
    if !peers(&["dig", "python3"]) {
        return;
    }
    let Some(user) = User::new() else { return };
    let program = user.bring(&script("name_server.py"), "name_server.py");
    let mut shell = user.shell(&[]);
    shell.tell(&format!("{} {program} 127.0.0.1 &", path_of("python3")));
    shell.line("ready");
    let dig = format!("{} @127.0.0.1 +short +tries=1 +time=20", path_of("dig"));
    for how in ["", "+tcp"] {
        shell.tell(&format!("{dig} {how} ieum.test A </dev/null"));
        assert_eq!(shell.line("192.0.2."), "192.0.2.80");
    }
    // Too long for a datagram: asked again over TCP.
    shell.tell(&format!("{dig} +noedns many.test A </dev/null | wc -l"));
    assert_eq!(shell.line("60"), "60");
}
