//! What the limits remember of addresses: governor's table with a bound. A flood of
//! ever other addresses must not take the memory that the fans in line need, so past
//! the bound those who are not known yet share one allowance, until there is room.

use std::net::{IpAddr, Ipv4Addr};

use governor::nanos::Nanos;
use governor::state::StateStore;
use governor::state::keyed::{DashMapStateStore, ShrinkableKeyedStateStore};

/// Under which strangers are counted while the table is full: nobody's own address.
const STRANGERS: IpAddr = IpAddr::V4(Ipv4Addr::UNSPECIFIED);

pub struct Remembered {
    addresses: DashMapStateStore<IpAddr>,
    most: usize,
}

impl Remembered {
    pub fn at_most(most: usize) -> Self {
        Self {
            addresses: DashMapStateStore::default(),
            most,
        }
    }
}

impl StateStore for Remembered {
    type Key = IpAddr;

    fn measure_and_replace<T, F, E>(&self, address: &IpAddr, measure: F) -> Result<T, E>
    where
        F: Fn(Option<Nanos>) -> Result<(T, Nanos), E>,
    {
        let has_room = self.addresses.len() < self.most;
        let own = has_room || self.addresses.contains_key(address);
        let counted = if own { address } else { &STRANGERS };
        self.addresses.measure_and_replace(counted, measure)
    }
}

impl ShrinkableKeyedStateStore<IpAddr> for Remembered {
    fn retain_recent(&self, drop_below: Nanos) {
        self.addresses.retain_recent(drop_below);
    }

    fn shrink_to_fit(&self) {
        self.addresses.shrink_to_fit();
    }

    fn len(&self) -> usize {
        self.addresses.len()
    }

    fn is_empty(&self) -> bool {
        self.addresses.is_empty()
    }
}
