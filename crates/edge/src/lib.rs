//! The edge: everything that speaks HTTP or WebSocket. Pages and API for fans
//! and operators, streams that tell a place, limits against floods.
//!
//! `routes` is the map; `api` and `views` hold one file a noun; `live` is what
//! this process knows of each event from one read a tick; `pages` are the view
//! models and templates.

mod address;
mod allowances;
mod answers;
mod api;
mod arrivals;
mod body;
mod captcha;
mod code_turns;
mod cookies;
mod cross_site;
mod desk;
mod draws;
mod error;
mod events;
mod follow;
mod identity;
mod joining;
mod keys;
mod limits;
mod live;
mod load;
mod operators;
mod own_orders;
pub mod pages;
mod places;
mod proof;
mod puzzle;
mod remembered;
mod roles;
mod routes;
mod shop;
mod shopping;
mod state;
mod views;
mod waits;

pub use address::TrustedProxies;
pub use allowances::{FanLimits, SCRIPTS};
pub use arrivals::Arrived;
pub use captcha::{Captcha, CaptchaSettings, Provider as CaptchaProvider, Unanswered};
pub use code_turns::CodeTurns;
pub use cookies::CookieJar;
pub use desk::Desk;
pub use draws::Draws;
pub use events::{EventError, EventStores, Events};
pub use limits::{AddressLimit, Counted};
pub use live::{Live, LiveOptions, run as run_live};
pub use load::Load;
pub use operators::FirstKey;
pub use puzzle::{JoinPace, PuzzleUnderLoad};
pub use routes::router;
pub use state::{Edge, EdgeSettings, StreamSlots};
