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
    ANNOUNCE "announce",
    SWEEP "sweep",
    CONFIGURE "configure",
    BOARD "board",
    CHANGES "changes",
    STATE "state",
    HERE "here",
    EDGES "edges",
    FREEZE "freeze",
    GATHERED "gathered",
    NUMBER "number",
    WHO "who",
    INSIDE "inside",
    CHECKPOINT "checkpoint",
    REBUILD_EVENT "rebuild_event",
    REBUILD_LANE "rebuild_lane",
    REBUILD_INSIDE "rebuild_inside",
    REBUILD_ENDED "rebuild_ended",
    REBUILD_GATHER "rebuild_gather",
}
