//! Folders that vanish, the programs of these tests, the large file.

use std::fs::{self, File, Permissions};
use std::io::{BufWriter, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU32, Ordering};

use super::peers::text;

/// A folder of a test's own, open to every user, gone when dropped.
pub(crate) struct Folder(PathBuf);

impl Folder {
    /// An empty folder.
    pub(crate) fn new() -> Folder {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let name = format!("ieum-test-{}-{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
        let path = std::env::temp_dir().join(name);
        fs::create_dir(&path).expect("a folder is made");
        fs::set_permissions(&path, Permissions::from_mode(0o777)).expect("a folder is opened");
        Folder(path)
    }

    /// Its path.
    pub(crate) fn path(&self) -> &Path {
        &self.0
    }

    /// The path of `name` in it.
    pub(crate) fn file(&self, name: &str) -> String {
        text(&self.0.join(name))
    }

    /// Writes `contents` as `name`, and answers the path.
    pub(crate) fn write(&self, name: &str, contents: &str) -> String {
        let path = self.file(name);
        fs::write(&path, contents).expect("a file is written");
        path
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        // A test that failed has said why; a folder that stays behind is not worth hiding that.
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn programs() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/programs")
}

/// The path of one of the scripts in `tests/programs`.
pub(crate) fn script(name: &str) -> String {
    text(&programs().join(name))
}

/// The C program whose files are in `tests/programs/NAME`, compiled into `folder`.
pub(crate) fn compiled(name: &str, folder: &Folder) -> String {
    compiled_with(name, folder, &[])
}

/// The same with the library's sockets in the place of the kernel's (`tests/programs/library`).
pub(crate) fn compiled_for_the_library(name: &str, folder: &Folder) -> String {
    // Built beside this test, under its crate's name; to programs it is libieum.so.
    let built = std::env::current_exe().expect("a test has a path").with_file_name("libieum_c.so");
    let link = folder.path().join("libieum.so");
    if !link.exists() {
        std::os::unix::fs::symlink(built, link).expect("a link is made");
    }
    let (library, at) = (programs().join("library"), text(folder.path()));
    let include = programs().join("../../../ieum-c/include");
    let words = ["-include", &text(&library.join("library.h")), "-I", &text(&include)].map(str::to_owned);
    let rest = [
        text(&library.join("library.c")),
        format!("-L{at}"),
        "-lieum".to_owned(),
        format!("-Wl,-rpath,{at}"),
    ];
    compiled_with(name, folder, &[words, rest].concat())
}

fn compiled_with(name: &str, folder: &Folder, words: &[String]) -> String {
    let mut files: Vec<PathBuf> = fs::read_dir(programs().join(name))
        .expect("the program has a folder")
        .map(|entry| entry.expect("a folder can be read").path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "c"))
        .collect();
    files.sort();
    let program =
        folder.file(&if words.is_empty() { name.to_owned() } else { format!("{name}-of-the-library") });
    let output = Command::new("gcc")
        .args(["-O1", "-Wall", "-Wextra", "-Werror", "-o", &program])
        .args(&files)
        .args(words)
        .output()
        .expect("gcc starts");
    assert!(output.status.success(), "gcc: {}", String::from_utf8_lossy(&output.stderr));
    program
}

/// The Go program in `tests/programs/NAME`, linked statically into `folder`; what the compiler writes goes there too.
pub(crate) fn go_compiled(name: &str, folder: &Folder) -> String {
    let program = folder.file(name);
    let output = Command::new(super::path_of("go"))
        .args(["build", "-o", &program, "."])
        .current_dir(programs().join(name))
        .env("HOME", folder.path())
        .env("GOCACHE", folder.file("go-cache"))
        // Nothing is fetched: the program needs the standard library alone.
        .envs([("CGO_ENABLED", "0"), ("GOFLAGS", "-mod=mod"), ("GOPROXY", "off"), ("GOTOOLCHAIN", "local")])
        .output()
        .expect("go starts");
    assert!(output.status.success(), "go: {}", String::from_utf8_lossy(&output.stderr));
    program
}

/// The large file: made once from a seed, so its checksum is known.
pub(crate) struct Payload {
    /// The folder it is in.
    pub(crate) folder: String,
    /// Its name there.
    pub(crate) name: &'static str,
    /// The SHA-256 of it, as sha256sum writes it.
    pub(crate) sha256: &'static str,
}

const PAYLOAD_BYTES: u64 = 1 << 30;
const PAYLOAD_NAME: &str = "payload-1GiB-seed-1";
const PAYLOAD_SHA256: &str = "4bbaad95feb98d609ed2f9e6a6a2962a494e4782200c13ce12f976e6a5e91aa9";

/// 1 GiB of seeded bytes, kept between runs beside the build.
pub(crate) fn payload() -> Payload {
    static MAKING: Mutex<()> = Mutex::new(());
    let _alone = MAKING.lock().expect("nobody failed while making the payload");
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR"));
    let path = folder.join(PAYLOAD_NAME);
    if fs::metadata(&path).map_or(0, |found| found.len()) != PAYLOAD_BYTES {
        fs::create_dir_all(folder).expect("the folder for test files is made");
        let unfinished = folder.join("payload-unfinished");
        seeded(&unfinished, PAYLOAD_BYTES).expect("the disk has room for the payload");
        fs::rename(&unfinished, &path).expect("the payload gets its name");
    }
    Payload { folder: text(folder), name: PAYLOAD_NAME, sha256: PAYLOAD_SHA256 }
}

/// Writes a file of `bytes` (a multiple of 8) seeded ones.
///
/// SplitMix64 (Steele, Lea, Flood 2014): every seed a different stream, and fast.
pub(crate) fn seeded(path: &Path, bytes: u64) -> std::io::Result<()> {
    let mut file = BufWriter::with_capacity(1 << 20, File::create(path)?);
    let mut state: u64 = 1;
    for _ in 0..bytes / 8 {
        state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut word = state;
        word = (word ^ (word >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        word = (word ^ (word >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        file.write_all(&(word ^ (word >> 31)).to_le_bytes())?;
    }
    file.flush()
}
