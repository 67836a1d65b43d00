//! The booking scripts. Each is `record.lua` (what they share) followed by its
//! own file; those that free or finish may run when Redis is full, because
//! otherwise a full Redis could never get emptier.

use usher_base::redis::Script;

macro_rules! booking_script {
    ($name:literal, $shebang:literal) => {
        Script::new(
            $name,
            concat!(
                $shebang,
                "\n",
                include_str!("../../../lua/booking/record.lua"),
                include_str!(concat!("../../../lua/booking/", $name, ".lua"))
            ),
        )
    };
}

pub static HOLD: Script = booking_script!("hold", "#!lua");
pub static EXTEND: Script = booking_script!("extend", "#!lua");
pub static FREE: Script = booking_script!("free", "#!lua flags=allow-oom");
pub static EXPIRE: Script = booking_script!("expire", "#!lua flags=allow-oom");
pub static COMMIT: Script = booking_script!("commit", "#!lua");
pub static SETTLE: Script = booking_script!("settle", "#!lua flags=allow-oom");
pub static UNPIN: Script = booking_script!("unpin", "#!lua flags=allow-oom");
pub static RESTOCK: Script = booking_script!("restock", "#!lua flags=allow-oom");
pub static STOCK: Script = booking_script!("stock", "#!lua");
pub static REBUILD: Script = booking_script!("rebuild_inventory", "#!lua");
pub static REBUILD_FILL: Script = booking_script!("rebuild_fill", "#!lua");

/// What the binary loads besides the other crates' scripts.
pub static SCRIPTS: &[&Script] = &[
    &HOLD,
    &EXTEND,
    &FREE,
    &EXPIRE,
    &COMMIT,
    &SETTLE,
    &UNPIN,
    &RESTOCK,
    &STOCK,
    &REBUILD,
    &REBUILD_FILL,
];
