//! `/console`: operators sign in, choose an event and steer it.

use askama::Template;
use usher_booking::operators::Role;

use super::assets::{self, Entry};
use super::model::{EventHead, Moment, Phase};
use crate::api::admin::admission::AdmissionForm;
use crate::api::admin::constants::ConstantShown;
use crate::roles;

/// `/console` for a visitor who has not signed in.
#[derive(Debug, Clone, Template)]
#[template(path = "console_sign_in.html")]
pub struct SignInPage {
    /// Why the last attempt failed, in one sentence.
    pub problem: Option<String>,
}

/// One event to choose.
#[derive(Debug, Clone)]
pub struct ConsoleEvent {
    pub head: EventHead,
    pub phase: Phase,
}

/// `/console` once signed in.
#[derive(Debug, Clone, Template)]
#[template(path = "console.html")]
pub struct ConsolePage {
    pub events: Vec<ConsoleEvent>,
    /// Admins alone see who else has a key.
    pub is_admin: bool,
    /// From staff on.
    pub looks_up: bool,
}

/// Somebody whose key is good.
#[derive(Debug, Clone)]
pub struct KeyHolder {
    pub id: String,
    pub name: String,
    pub role: String,
    pub made_by: String,
    pub made_at: Moment,
}

/// A key that was just made. Its `Debug` would tell it, so it has none.
#[derive(Clone)]
pub struct MadeKey {
    pub name: String,
    pub api_key: String,
}

/// `/console/operators`, for admins.
#[derive(Clone, Template)]
#[template(path = "console_operators.html")]
pub struct OperatorsPage {
    pub operators: Vec<KeyHolder>,
    pub made: Option<MadeKey>,
    /// Why a key was not made, in one sentence.
    pub problem: Option<String>,
}

/// An event's pages in the console.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tab {
    Sale,
    Door,
    Invites,
}

/// Which of them is shown, and which others this operator may open.
#[derive(Debug, Clone, Copy)]
pub struct Tabs {
    pub here: Tab,
    pub looks_up: bool,
    pub steers: bool,
}

impl Tabs {
    pub fn of(role: Role, here: Tab) -> Self {
        Self {
            here,
            looks_up: role >= roles::LOOKS_UP,
            steers: role >= roles::STEERS,
        }
    }
}

/// `/console/e/{id}`: live numbers and the controls of one event.
#[derive(Debug, Clone, Template)]
#[template(path = "console_event.html")]
pub struct ControlPage {
    pub head: EventHead,
    pub tabs: Tabs,
    pub phase: Phase,
    /// All of them, so that applying one keeps the others.
    pub settings: AdmissionForm,
    /// Of the control law, as they are for this event.
    pub constants: Vec<ConstantShown>,
    /// Roles that may not change them see them.
    pub can_tune: bool,
    /// The message the line sees now.
    pub message: Option<String>,
    /// Roles that may only look get no controls.
    pub can_control: bool,
    /// The server's clock when the page was made.
    pub now: Moment,
}
