//! The pages: typed view models, their HTML templates and their static files.
//!
//! Handlers fill a view model from the stores and hand it to [`respond`]. A page
//! decides nothing about data and knows no store, so that it can be rendered,
//! looked at and tested by itself. Text is escaped by the templates; identifiers
//! that end up in paths (event, reservation, order, ticket) are made by usher and
//! are URL-safe by construction.

mod assets;
mod checkout;
mod console;
mod desk;
mod door;
mod event;
mod events;
mod invites;
mod model;
mod moving;
mod notice;
mod order;
mod queue;
mod respond;
mod seats;
mod wording;

pub use assets::{ASSET_ROUTE, serve_asset};
pub use checkout::{CheckoutPage, PaymentMethod};
pub use console::{
    ConsoleEvent, ConsolePage, ControlPage, KeyHolder, MadeKey, OperatorsPage, SignInPage, Tab,
    Tabs,
};
pub use desk::{
    DeskOrderPage, DeskPayment, DeskPlace, DeskTicket, FindPage, Found, FoundLine, HistoryLine,
    UsedAt,
};
pub use door::{Arrivals, DoorPage, Verdict};
pub use event::{CaptchaWidget, CheckPage, DrawPublication, EventPage};
pub use events::{EventCard, EventSearch, EventsPage};
pub use invites::{GivenCode, InvitesPage, MadeCodes};
pub use model::{
    Availability, EventHead, LineItem, LineOrder, Moment, Money, Phase, PriceRange, WaitInterval,
};
pub use moving::{HerePage, MovePage};
pub use notice::{AwayPage, ErrorPage};
pub use order::{OrderLine, OrderPage, OrderStatus, OrdersPage, TicketView};
pub use queue::{Place, QueuePage, SlipReason, Standing};
pub use respond::{CONTENT_SECURITY_POLICY, respond, respond_with};
pub use seats::SeatsPage;

#[cfg(test)]
mod desk_samples;
#[cfg(test)]
mod samples;
#[cfg(test)]
mod tests;
