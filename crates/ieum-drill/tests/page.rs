//! The page `docs/DRILL.md` has the table of sysctls that the command prints: `IEUM_WRITE_DRILL=1 cargo test -p
//! ieum-drill --test page` writes it anew.

use std::path::Path;

use ieum_drill::{OPTIONS, sysctls};

const BEGIN: &str = "--test page -->\n```text\n";
const END: &str = "```\n<!-- end of sysctls -->";

#[test]
fn the_page_has_the_table_of_sysctls() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/DRILL.md");
    let page = std::fs::read_to_string(&path).unwrap();
    let (before, rest) = page.split_once(BEGIN).expect("the table has a beginning");
    let (_, after) = rest.split_once(END).expect("the table has an end");
    let current = format!("{before}{BEGIN}{}{END}{after}", sysctls());
    if std::env::var_os("IEUM_WRITE_DRILL").is_some() {
        std::fs::write(&path, &current).unwrap();
        return;
    }
    let how = "IEUM_WRITE_DRILL=1 cargo test -p ieum-drill --test page";
    assert!(page == current, "docs/DRILL.md has not the table that `ieum drill --sysctls` prints: {how}");
}

#[test]
fn options_that_the_page_names_exist() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/DRILL.md");
    let page = std::fs::read_to_string(&path).unwrap();
    let own = ["verdicts", "sysctls", "shared", "nocapture", "test", "name"];
    for (at, _) in page.match_indices("`--") {
        let name: String =
            page[at + 3..].chars().take_while(|c| c.is_ascii_alphanumeric() || *c == '_').collect();
        let known = OPTIONS.iter().any(|option| option.name == name) || own.contains(&name.as_str());
        assert!(known, "--{name}");
    }
}
