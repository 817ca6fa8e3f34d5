//! Servers with many clients: all in one host, and published to the machine.

use std::io::{Read, Write};

use super::support::{Folder, Running, User, ieum, nginx, path_of, peer, peers, script};

#[test]
fn five_nginx_of_an_ordinary_user_each_have_port_80() {
    if !peers(&["nginx"]) {
        return;
    }
    let mut running = Vec::new();
    for number in 0..5 {
        let Some(user) = User::new() else { return };
        let command = nginx(user.home(), &format!("listen 80; return 200 \"nginx {number}\\n\";"), true);
        let command: Vec<&str> = command.iter().map(String::as_str).collect();
        running.push((user.start(&user.ieum(&["-p", "0:80"], &command)), user));
    }
    for (number, (nginx, _)) in running.iter_mut().enumerate() {
        let address = nginx.published();
        let mut connection = nginx.connect(address);
        connection.write_all(b"GET / HTTP/1.0\r\n\r\n").expect("a request is sent");
        let mut answer = String::new();
        connection.read_to_string(&mut answer).expect("an answer comes");
        assert!(answer.ends_with(&format!("\r\n\r\nnginx {number}\n")), "{answer}");
    }
}

#[test]
fn redis_benchmark_runs_against_redis_in_the_same_host() {
    if !peers(&["redis-server", "redis-benchmark", "redis-cli"]) {
        return;
    }
    let folder = Folder::new();
    let (program, place) = (script("redis.sh"), folder.file(""));
    let printed = Running::start(&ieum(&[], &["sh", &program, &place])).finish().success();
    for test in ["SET: ", "GET: "] {
        let result = printed.split(['\r', '\n']).rfind(|line| line.starts_with(test));
        assert!(result.is_some_and(|line| line.contains("requests per second")), "{printed}");
    }
}

#[test]
fn five_hundred_asyncio_clients_on_one_port_each_get_their_own_bytes() {
    if !peer("python3") {
        return;
    }
    let (python, echo) = (path_of("python3"), script("echo_asyncio.py"));
    let words = ieum(&[], &[&python, &echo, "both", "127.0.0.1", "7", "500"]);
    let printed = Running::start(&words).finish().success();
    assert_eq!(printed, "500 of 500 clients got their own bytes\n");
}

#[test]
fn five_hundred_clients_of_the_machine_each_get_their_own_bytes_through_a_published_port() {
    if !peer("python3") {
        return;
    }
    let (python, echo) = (path_of("python3"), script("echo_asyncio.py"));
    let mut server = Running::start(&ieum(&["-p", "0:7"], &[&python, &echo, "serve", "0.0.0.0", "7"]));
    let port = server.published().port().to_string();
    server.line("ready");
    let printed = Running::start(&[&python, &echo, "call", "127.0.0.1", &port, "500"]).finish().success();
    assert_eq!(printed, "500 of 500 clients got their own bytes\n");
}

#[test]
fn fifty_threads_with_blocking_sockets_each_get_their_own_bytes() {
    if !peer("python3") {
        return;
    }
    let (python, echo) = (path_of("python3"), script("echo_threads.py"));
    let printed = Running::start(&ieum(&[], &[&python, &echo, "50"])).finish().success();
    assert_eq!(printed, "50 of 50 threads got their own bytes\n");
}

#[test]
fn datagrams_come_back_within_a_host() {
    if !peer("python3") {
        return;
    }
    let (python, echo) = (path_of("python3"), script("echo_udp.py"));
    let printed = Running::start(&ieum(&[], &[&python, &echo, "both", "300"])).finish().success();
    assert_eq!(printed, "600 of 600 datagrams came back\n");
}

#[test]
fn datagrams_of_the_machine_come_back_through_a_published_port() {
    if !peer("python3") {
        return;
    }
    let (python, echo) = (path_of("python3"), script("echo_udp.py"));
    let mut server = Running::start(&ieum(&["-p", "0:7/udp"], &[&python, &echo, "serve", "0.0.0.0", "7"]));
    let port = server.published().port().to_string();
    server.line("ready");
    let printed = Running::start(&[&python, &echo, "call", "127.0.0.1", &port, "300"]).finish().success();
    assert_eq!(printed, "600 of 600 datagrams came back\n");
}

#[test]
fn datagrams_to_the_machine_come_back_through_the_exit() {
    if !peer("python3") {
        return;
    }
    let (python, echo) = (path_of("python3"), script("echo_udp.py"));
    let socket = std::net::UdpSocket::bind("127.0.0.1:0").expect("a free port is bound");
    let port = socket.local_addr().expect("a bound socket has a name").port().to_string();
    drop(socket);
    let mut server = Running::start(&[&python, &echo, "serve", "127.0.0.1", &port]);
    server.line("ready");
    let words = ieum(&[], &[&python, &echo, "call", "10.77.0.1", &port, "300"]);
    assert_eq!(Running::start(&words).finish().success(), "600 of 600 datagrams came back\n");
}
