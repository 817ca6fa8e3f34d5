//! nginx with two workers, as an ordinary user: under load from both sides, and reloaded under load.

use std::collections::BTreeSet;
use std::io::{Read, Write};
use std::net::SocketAddr;

use rustix::process::{Pid, Signal, kill_process};

use super::support::{Folder, Running, User, compiled, nginx_with_workers, path_of, peers};

/// Requests after which both workers must have answered one; a fair coin misses one side with 2 to the minus 999.
const ASKED_MAX: usize = 1000;

/// Reloads under load.
const RELOADS: usize = 5;

/// nginx with two workers in a host of its own, and its shell.
struct Workers {
    user: User,
    shell: Running,
    address: SocketAddr,
    listen: String,
    nginx: String,
}

impl Workers {
    fn start(listen: &str) -> Option<Workers> {
        let user = User::new()?;
        let nginx = configure(&user, listen, 0);
        let mut shell = user.shell(&["-p", "0:80"]);
        let address = shell.published();
        shell.tell(&format!("{nginx} &"));
        let mut workers = Workers { user, shell, address, listen: listen.to_owned(), nginx };
        // Connections are accepted before nginx writes its id. It has written it when there are workers.
        let _ = workers.ask();
        Some(workers)
    }

    /// The generation of the configuration, and the worker, that answer one request.
    fn ask(&mut self) -> (usize, u32) {
        let mut connection = self.shell.connect(self.address);
        connection.write_all(b"GET / HTTP/1.0\r\n\r\n").expect("a request is sent");
        let mut answer = String::new();
        connection.read_to_string(&mut answer).expect("an answer comes");
        let body = answer.rsplit_once("\r\n\r\n").map_or("", |(_, body)| body);
        let numbers = body.split_once(' ').and_then(|(generation, worker)| {
            Some((generation.parse().ok()?, worker.trim_end().parse().ok()?))
        });
        numbers.unwrap_or_else(|| panic!("not an answer of a worker: {answer}"))
    }

    /// Changes the configuration, has it read by `tell`, and waits until a new worker answers.
    fn reload(&mut self, generation: usize, tell: impl FnOnce(&Workers)) {
        configure(&self.user, &self.listen, generation);
        tell(self);
        while self.ask().0 != generation {
            self.shell.look_on("a new worker answers");
        }
    }

    /// The master's process, by the file it wrote before it made workers.
    fn master(&self) -> Pid {
        let text = std::fs::read_to_string(self.user.home().file("nginx.pid")).expect("nginx wrote its id");
        text.trim().parse().ok().and_then(Pid::from_raw).expect("an id is a number")
    }
}

/// Writes the configuration of this generation; the command line.
fn configure(user: &User, listen: &str, generation: usize) -> String {
    let server = format!("listen {listen}; return 200 \"{generation} $pid\\n\";");
    nginx_with_workers(user.home(), 2, &server, true).join(" ")
}

/// wrk ends by itself with 0 whatever it met: what went wrong is in what it prints.
fn assert_no_error(printed: &str) {
    let requests =
        printed.lines().find_map(|line| line.split_once(" requests in ")?.0.trim().parse::<u64>().ok());
    assert!(requests.is_some_and(|requests| requests > 0), "{printed}");
    assert!(!printed.contains("Socket errors") && !printed.contains("Non-2xx"), "{printed}");
}

/// Ten seconds of wrk in the host, and at the same time from the machine through the published port.
fn ten_seconds_without_an_error(listen: &str) -> Option<Workers> {
    if !peers(&["nginx", "wrk"]) {
        return None;
    }
    let mut nginx = Workers::start(listen)?;
    let wrk = format!("{} --threads 2 --connections 32 --duration 10s --timeout 60s", path_of("wrk"));
    nginx.shell.tell(&format!("{wrk} http://127.0.0.1/ </dev/null; echo inside is over"));
    let outside = format!("{wrk} http://{}/", nginx.address);
    assert_no_error(&nginx.user.start(&nginx.user.words(&["sh", "-c", &outside])).finish().success());
    nginx.shell.line("inside is over");
    assert_no_error(&nginx.shell.printed());
    Some(nginx)
}

#[test]
fn two_workers_of_nginx_bear_ten_seconds_of_wrk_without_an_error() {
    ten_seconds_without_an_error("80");
}

#[test]
fn two_workers_with_a_listener_each_bear_ten_seconds_of_wrk_without_an_error() {
    let Some(mut nginx) = ten_seconds_without_an_error("80 reuseport") else { return };
    let mut workers = BTreeSet::new();
    for _ in 0..ASKED_MAX {
        workers.insert(nginx.ask().1);
        if workers.len() == 2 {
            return;
        }
    }
    panic!("of two listeners one gets all connections");
}

/// Clients on both sides open one connection for each request all the while.
fn reloaded_without_a_failed_request(listen: &str) {
    if !peers(&["nginx", "gcc"]) {
        return;
    }
    let folder = Folder::new();
    let requests = compiled("requests", &folder);
    let Some(mut nginx) = Workers::start(listen) else { return };
    nginx.shell.tell(&format!("mkfifo hold; {requests} 127.0.0.1 80 4 0 <hold & asking=$!; exec 3>hold"));
    let outside = [&requests, "127.0.0.1", &nginx.address.port().to_string(), "4", "0"];
    let outside = nginx.user.start(&nginx.user.words(&outside));

    nginx.reload(1, |nginx| {
        let words = format!("{} -s reload", nginx.nginx);
        nginx.user.start(&nginx.user.words(&["sh", "-c", &words])).finish().success();
    });
    for generation in 2..=RELOADS {
        nginx.reload(generation, |nginx| {
            kill_process(nginx.master(), Signal::HUP).expect("nginx can be signalled");
        });
    }
    let printed = outside.finish().success();
    assert!(printed.contains(" requests answered in "), "{printed}");
    nginx.shell.tell("exec 3>&-; wait $asking && echo inside had no failure");
    nginx.shell.line("inside had no failure");
}

#[test]
fn nginx_reloads_under_load_without_a_failed_request() {
    reloaded_without_a_failed_request("80");
}

#[test]
fn nginx_with_a_listener_for_each_worker_reloads_under_load_without_a_failed_request() {
    reloaded_without_a_failed_request("80 reuseport");
}
