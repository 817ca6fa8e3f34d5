//! Listening sockets that are handed on to other programs: socket activation, and the upgrade of a running nginx.

use std::io::{BufRead, BufReader, Read, Write};

use super::support::{Folder, Running, ieum, is_root, path_of, peer, peers, script};

#[test]
fn a_service_is_started_with_the_listener_when_somebody_connects() {
    if !peer("python3") {
        return;
    }
    let (python, program) = (path_of("python3"), script("activate.py"));
    let mut service = Running::start(&ieum(&["-p", "0:80"], &[&python, &program, "80"]));
    let address = service.published();
    service.line("waits");
    // This connection waits in the queue of a listener whose program is replaced.
    let mut connection = service.connect(address);
    connection.write_all(b"who is there\n").expect("a line is sent");
    let mut answer = String::new();
    BufReader::new(&connection).read_line(&mut answer).expect("an answer comes");
    assert_eq!(answer, "WHO IS THERE\n");
    service.line("served");
    assert_eq!(service.finish().code, 0);
}

/// Bytes of the file that is being sent while nginx is replaced: more than all buffers on the way hold.
const LARGE_BYTES: usize = 32 << 20;

/// nginx serves as a daemon here: the master of a foreground one does not listen to SIGUSR2.
fn configuration(folder: &Folder) -> String {
    let place = folder.path().display();
    let user = if is_root() { "user root;" } else { "" };
    folder.write(
        "nginx.conf",
        &format!(
            "worker_processes 2; pid {place}/pid; error_log {place}/errors; {user}
             events {{ worker_connections 256; }}
             http {{
                 access_log off; sendfile on;
                 client_body_temp_path {place}/body; proxy_temp_path {place}/proxy;
                 fastcgi_temp_path {place}/fastcgi; uwsgi_temp_path {place}/uwsgi; scgi_temp_path {place}/scgi;
                 server {{ listen 80; root {place}; location = /who {{ return 200 $pid; }} }}
             }}\n"
        ),
    )
}

/// What nginx's manual says of upgrading on the fly, each step with its end awaited.
const UPGRADE: &str = r#"
cd "$1"
nginx=$2
until_gone() { while kill -0 "$1" 2>/dev/null; do sleep 0.02; done; }
"$nginx" -p "$1" -c "$1/nginx.conf"
echo started
read -r _
old=$(cat pid)
kill -USR2 "$old"
while [ ! -s pid.oldbin ] || [ ! -s pid ]; do sleep 0.02; done
new=$(cat pid)
kill -WINCH "$old"
kill -QUIT "$old"
echo "replaced by $new"
read -r _
until_gone "$old"
echo "the old one is gone"
read -r _
kill -QUIT "$new"
until_gone "$new"
"#;

#[test]
fn nginx_is_replaced_by_another_without_losing_a_connection() {
    if !peers(&["nginx", "sh"]) {
        return;
    }
    let folder = Folder::new();
    let large: Vec<u8> = (0..251).cycle().take(LARGE_BYTES).collect();
    std::fs::write(folder.file("large"), &large).expect("a file is written");
    configuration(&folder);
    let place = folder.path().display().to_string();
    let nginx = path_of("nginx");
    let mut shell = Running::start(&ieum(&["-p", "0:80"], &["sh", "-euc", UPGRADE, "sh", &place, &nginx]));
    let address = shell.published();
    shell.line("started");

    // The old one's: begun before, and read to its end after.
    let mut download = shell.connect(address);
    download.write_all(b"GET /large HTTP/1.0\r\n\r\n").expect("a request is sent");
    let mut first = [0];
    download.read_exact(&mut first).expect("an answer begins");
    shell.tell("upgrade");
    shell.line("replaced by");
    for _ in 0..20 {
        let mut connection = shell.connect(address);
        connection.write_all(b"GET /who HTTP/1.0\r\n\r\n").expect("a request is sent");
        let mut answer = String::new();
        connection.read_to_string(&mut answer).expect("an answer comes");
        assert!(answer.contains(" 200 OK"), "{answer}");
    }
    let mut rest = Vec::new();
    download.read_to_end(&mut rest).expect("the answer ends");
    assert!(rest.ends_with(&large), "the file came whole through a worker of the old one");
    shell.tell("wait");
    shell.line("the old one is gone");
    let mut connection = shell.connect(address);
    connection.write_all(b"GET /who HTTP/1.0\r\n\r\n").expect("a request is sent");
    let mut answer = String::new();
    connection.read_to_string(&mut answer).expect("an answer comes");
    assert!(answer.contains(" 200 OK"), "{answer}");
    shell.tell("end");
    assert_eq!(shell.finish().code, 0);
}
