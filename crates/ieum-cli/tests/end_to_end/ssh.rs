//! sshd in a host of its own, and 100 MiB through it by scp, started by an ordinary user.

use std::fs;
use std::path::Path;

use super::support::{Running, User, is_root, namespaces, path_of, peers, seeded};

/// What is copied.
const BYTES: u64 = 100 << 20;
/// A number that no account of a distribution has, for an account that exists in the test's namespace alone.
const ACCOUNT: u32 = 54_321;

/// sshd's files, and the account that it lets in.
struct Ssh {
    user: User,
    account: String,
    /// Started as root: /etc/passwd with the account in it.
    passwd: Option<String>,
}

impl Ssh {
    /// `None` where something is missing, or the account could not be logged into.
    fn new() -> Option<Ssh> {
        let programs = ["sshd", "ssh", "scp", "ssh-keygen", "sha256sum", "id", "getent"];
        if !peers(&programs) || (is_root() && namespaces().is_none()) {
            return None;
        }
        let user = User::with_id(ACCOUNT)?;
        let (account, passwd) = if is_root() {
            let home = user.home().path().display();
            let entry = format!("ieum-test:x:{ACCOUNT}:{ACCOUNT}::{home}:/bin/sh\n");
            let before = fs::read_to_string("/etc/passwd").expect("there is /etc/passwd");
            ("ieum-test".to_owned(), Some(user.write("passwd", &(before + &entry))))
        } else {
            (Running::start(&["id", "-un"]).finish().success().trim().to_owned(), None)
        };
        let ssh = Ssh { user, account, passwd };
        ssh.can_log_in().then(|| {
            ssh.make_files();
            ssh
        })
    }

    fn can_log_in(&self) -> bool {
        let entry = self.start(&self.user.words(&["getent", "passwd", &self.account])).finish().success();
        let closed = entry.trim_end().ends_with("/nologin") || entry.trim_end().ends_with("/false");
        if closed {
            println!("{} has no shell to log into, so this test proves nothing", self.account);
        }
        !closed
    }

    fn make_files(&self) {
        for key in ["host", "key"] {
            let file = self.file(key);
            let words =
                self.user.words(&[&path_of("ssh-keygen"), "-q", "-t", "ed25519", "-N", "", "-f", &file]);
            self.start(&words).finish().success();
        }
        let home = self.user.home().path().display();
        self.user.write(
            "sshd_config",
            &format!(
                "Port 2222\nListenAddress 0.0.0.0\nHostKey {home}/host\nAuthorizedKeysFile {home}/key.pub\nPidFile none\n\
                 UsePAM no\nStrictModes no\nPasswordAuthentication no\nSubsystem sftp internal-sftp\n"
            ),
        );
        self.user.write(
            "ssh_config",
            &format!(
                "Host *\nUser {}\nIdentityFile {home}/key\nIdentitiesOnly yes\nBatchMode yes\n\
                 UserKnownHostsFile {home}/known\nStrictHostKeyChecking no\nLogLevel ERROR\n",
                self.account
            ),
        );
    }

    fn file(&self, name: &str) -> String {
        self.user.home().file(name)
    }

    /// Starts `words` where the account exists.
    fn start(&self, words: &[String]) -> Running {
        let Some(passwd) = &self.passwd else { return self.user.start(words) };
        let enter = "mount --bind \"$1\" /etc/passwd && shift && exec \"$@\"";
        let before = ["unshare", "--mount", "sh", "-ec", enter, "sh", passwd];
        self.user.start(&[&before.map(str::to_owned)[..], words].concat())
    }

    fn sum(&self, name: &str) -> String {
        let printed = Running::start(&["sha256sum", &self.file(name)]).finish().success();
        printed.split_whitespace().next().expect("a sum is printed").to_owned()
    }
}

#[test]
fn scp_copies_a_hundred_mebibytes_through_sshd_of_an_ordinary_user() {
    let Some(ssh) = Ssh::new() else { return };
    seeded(Path::new(&ssh.file("sent")), BYTES).expect("the disk has room for the file");
    let sum = ssh.sum("sent");
    let mut shell = ssh.start(&ssh.user.ieum(&["-p", "0:2222"], &["sh"]));
    let published = shell.published();
    shell.tell(&format!("{} -D -e -f {} </dev/null &", path_of("sshd"), ssh.file("sshd_config")));
    shell.error_line("Server listening on 0.0.0.0 port 2222");

    // Within the host, both protocols of scp; a command with input and output.
    let config = ssh.file("ssh_config");
    shell.tell(&format!(
        "echo said | {} -F {config} -p 2222 127.0.0.1 'read word; echo heard $word'",
        path_of("ssh")
    ));
    assert_eq!(shell.line("heard"), "heard said");
    for (protocol, copy) in [("-s", "by-sftp"), ("-O", "by-rcp")] {
        let (from, to) = (ssh.file("sent"), ssh.file(copy));
        let scp = path_of("scp");
        shell.tell(&format!(
            "{scp} {protocol} -q -F {config} -P 2222 {from} 127.0.0.1:{to} </dev/null; echo code $?"
        ));
        assert_eq!(shell.line("code "), "code 0", "{protocol}");
        assert_eq!(ssh.sum(copy), sum, "{protocol}");
    }

    // From the machine through the published port, there and back.
    let port = published.port().to_string();
    let scp = [&path_of("scp"), "-q", "-F", &config, "-P", &port];
    for (from, to) in [
        (ssh.file("sent"), format!("127.0.0.1:{}", ssh.file("from-machine"))),
        (format!("127.0.0.1:{}", ssh.file("sent")), ssh.file("to-machine")),
    ] {
        let words = ssh.user.words(&[&scp[..], &[&from, &to]].concat());
        ssh.start(&words).finish().success();
    }
    assert_eq!((ssh.sum("from-machine"), ssh.sum("to-machine")), (sum.clone(), sum));
    shell.finish().success();
}
