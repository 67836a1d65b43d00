//! The seat map as it is sent: written once when seats or the event changed and
//! somebody looks, however many look. Its tag is made of what it shows, so that
//! it is the same on every edge.

use std::sync::{Arc, Mutex, PoisonError};

use axum::body::Bytes;
use axum::http::HeaderValue;
use ring::digest::{Context, SHA256};
use usher_booking::catalog::OnSale;
use usher_booking::seatmap::SeatMap;

use super::event::StockView;

/// Hex digits of the tag: 96 bits.
const TAG_CHARS: usize = 24;

pub struct Picture {
    on_sale: Arc<OnSale>,
    stock: Arc<StockView>,
    pub tag: HeaderValue,
    pub body: Bytes,
}

impl Picture {
    fn new(on_sale: &Arc<OnSale>, stock: &Arc<StockView>) -> Self {
        let map = SeatMap::new(on_sale, &stock.seats, &stock.places_left, stock.at);
        let body = serde_json::to_vec(&map).expect("a seat map is plain data");
        Self {
            on_sale: Arc::clone(on_sale),
            stock: Arc::clone(stock),
            tag: tag(on_sale, stock),
            body: body.into(),
        }
    }

    fn is_of(&self, on_sale: &Arc<OnSale>, stock: &Arc<StockView>) -> bool {
        Arc::ptr_eq(&self.on_sale, on_sale) && Arc::ptr_eq(&self.stock, stock)
    }
}

fn tag(on_sale: &OnSale, stock: &StockView) -> HeaderValue {
    let mut digest = Context::new(&SHA256);
    digest.update(&on_sale.event.revision.to_be_bytes());
    digest.update(stock.seats.bytes());
    for left in &stock.places_left {
        digest.update(&left.to_be_bytes());
    }
    let tag = format!("\"{}\"", &hex::encode(digest.finish())[..TAG_CHARS]);
    HeaderValue::try_from(tag).expect("hex digits are visible ASCII")
}

/// The newest one. Whoever looks while it is written waits for it, instead of
/// writing another one.
#[derive(Default)]
pub struct PictureOfSeats(Mutex<Option<Arc<Picture>>>);

impl PictureOfSeats {
    pub fn of(&self, on_sale: &Arc<OnSale>, stock: &Arc<StockView>) -> Arc<Picture> {
        let mut newest = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match newest.as_ref().filter(|known| known.is_of(on_sale, stock)) {
            Some(known) => Arc::clone(known),
            None => Arc::clone(newest.insert(Arc::new(Picture::new(on_sale, stock)))),
        }
    }
}
