//! The line's Lua scripts. Whoever opens a Redis handle gives it `SCRIPTS`.

use usher_base::redis::Script;

macro_rules! scripts {
    ($($name:ident $file:literal),* $(,)?) => {
        $(pub(crate) static $name: Script = Script::new(
            $file,
            include_str!(concat!("../../../lua/queue/", $file, ".lua")),
        );)*
        /// All of them, to be loaded for each epoch.
        pub static SCRIPTS: &[&Script] = &[$(&$name),*];
    };
}

scripts! {
    JOIN "join",
    PLACES "places",
    DEPART "depart",
    CLAIM "claim",
    PROLONG "prolong",
    TRANSFER "transfer",
    LEAD "lead",
    RELEASE "release",
    FORGET "forget",
    PASSES "passes",
    SWEEP "sweep",
    CONFIGURE "configure",
    BOARD "board",
    CHANGES "changes",
    HERE "here",
    EDGES "edges",
}
