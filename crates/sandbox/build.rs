//! Makes cargo look at the migrations folder: the macro that embeds it notices
//! changed files by itself, but not new ones.

fn main() {
    println!("cargo:rerun-if-changed=../../migrations");
}
