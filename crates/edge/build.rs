//! Refuses, in one sentence, to build the edge before its pages are built:
//! rust-embed would otherwise fail on a missing folder without saying what to do.

use std::path::Path;

fn main() {
    println!("cargo::rerun-if-changed=web/dist");
    if !Path::new("web/dist/.vite/manifest.json").is_file() {
        println!("cargo::error=pages are not built: run `make pages` once, then build again");
    }
}
