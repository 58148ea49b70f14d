//! `launch` and the trader read manifests with two readers; what one accepts the other reads as the
//! same document. A difference would fail every identity check, or worse, pass one.

use launch::source::{Declared, DiskFiles, render_all};
use std::path::Path;

#[test]
fn both_readers_see_one_digest() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let manifests = root.join("tests/manifests/valid");
    let strategies = root.join("tests/strategies/valid");
    for manifest in std::fs::read_dir(manifests).expect("the corpus exists") {
        let manifest = manifest.expect("can be listed").path();
        for strategy in std::fs::read_dir(&strategies).expect("the corpus exists") {
            let strategy = strategy.expect("can be listed").path();
            let scratch = tempfile::tempdir().expect("a scratch directory");
            let folder = scratch.path().join("manifests/strategies");
            std::fs::create_dir_all(&folder).expect("created");
            let extension = strategy.extension().expect("has one").to_string_lossy();
            std::fs::copy(
                &strategy,
                folder.join(format!("probability-model.{extension}")),
            )
            .expect("copied");
            let name = manifest.file_name().expect("a file").to_string_lossy();
            let copy = scratch.path().join("manifests").join(&*name);
            std::fs::copy(&manifest, &copy).expect("copied");

            let ours = Declared::load(
                &DiskFiles::new(scratch.path()),
                &format!("manifests/{name}"),
            )
            .unwrap_or_else(|problems| panic!("{}", render_all(&problems, false)));
            let theirs = trader_runtime::manifest_files::read(&copy)
                .unwrap_or_else(|problem| panic!("{name}: the trader refuses it: {problem}"));
            assert_eq!(ours.manifest.value, theirs.manifest, "{name}");
            assert_eq!(ours.strategy_files(), theirs.strategies, "{name}");
            assert_eq!(ours.digest, theirs.digest, "{name}");
        }
    }
}
