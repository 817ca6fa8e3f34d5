//! Every script of our own passes; each stands in the folder of the behaviour it is about.

use std::collections::BTreeMap;
use std::path::Path;

use ieum_drill::{Drill, Options, Outcome, scripts_below};

#[test]
fn every_script_passes() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("scripts");
    let scripts = scripts_below(&root).unwrap();
    let reports = Drill::new(Options::default()).unwrap().run_all(&scripts);
    let mut behaviours = BTreeMap::<String, usize>::new();
    let mut wrong = Vec::new();
    for (path, report) in scripts.iter().zip(&reports) {
        let folder = path.parent().and_then(Path::file_name).unwrap().to_string_lossy().into_owned();
        *behaviours.entry(folder).or_default() += 1;
        match &report.outcome {
            Outcome::Passed => {}
            Outcome::Failed(failure) => wrong.push(failure.clone()),
            Outcome::Unsupported { missing, failure } => {
                wrong.push(format!("{}: {missing:?}: {failure:?}", report.path));
            }
        }
    }
    for (behaviour, count) in &behaviours {
        println!("{count:4}  {behaviour}");
    }
    assert!(wrong.is_empty(), "{} of {} scripts:\n{}", wrong.len(), scripts.len(), wrong.join("\n\n"));
    assert!(behaviours.len() > 10 && scripts.len() > 50, "the scripts are there: {}", scripts.len());
}
