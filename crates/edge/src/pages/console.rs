//! `/console`: operators sign in, choose an event and steer it.

use askama::Template;

use super::assets::{self, Entry};
use super::model::{EventHead, Moment, Phase};
use crate::api::admin::admission::AdmissionForm;

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
}

/// `/console/e/{id}`: live numbers and the controls of one event.
#[derive(Debug, Clone, Template)]
#[template(path = "console_event.html")]
pub struct ControlPage {
    pub head: EventHead,
    pub phase: Phase,
    /// All of them, so that applying one keeps the others.
    pub settings: AdmissionForm,
    /// The message the line sees now.
    pub message: Option<String>,
    /// Roles that may only look get no controls.
    pub can_control: bool,
    /// The server's clock when the page was made.
    pub now: Moment,
}
