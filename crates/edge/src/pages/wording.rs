//! Numbers in plain words: waits, counts and money.
//!
//! The script words the same figures while the page lives, so both sides are held
//! to the cases in `web/testdata/wording.json`.

use std::fmt::Write as _;

const MINUTE: u64 = 60;
/// From here on waits are told in half hours.
const HOURS_FROM_MINUTES: u64 = 90;
/// Up to here a wait is told to the minute, beyond in steps of five.
const EXACT_UP_TO_MINUTES: u64 = 15;
const DAY_MINUTES: u64 = 24 * 60;

/// An expected wait between two bounds in seconds: `about 4 to 7 minutes`.
pub(super) fn wait(low_seconds: u64, high_seconds: u64) -> String {
    let (low_seconds, high_seconds) = (low_seconds.min(high_seconds), high_seconds);
    if high_seconds <= MINUTE {
        return "less than a minute".to_owned();
    }
    let low = step_down(low_seconds / MINUTE);
    let high = step_up(high_seconds.div_ceil(MINUTE));
    if low >= DAY_MINUTES {
        "more than a day".to_owned()
    } else if low == 0 {
        format!("up to {}", duration(high))
    } else if low == high {
        format!("about {}", duration(high))
    } else if (low < HOURS_FROM_MINUTES) == (high < HOURS_FROM_MINUTES) {
        format!("about {} to {}", amount(low), duration(high))
    } else {
        format!("about {} to {}", duration(low), duration(high))
    }
}

/// The size of a step of the scale at this many minutes.
const fn step(minutes: u64) -> u64 {
    if minutes <= EXACT_UP_TO_MINUTES {
        1
    } else if minutes <= HOURS_FROM_MINUTES {
        5
    } else {
        30
    }
}

const fn step_down(minutes: u64) -> u64 {
    minutes / step(minutes) * step(minutes)
}

const fn step_up(minutes: u64) -> u64 {
    minutes.div_ceil(step(minutes)) * step(minutes)
}

/// Minutes as the bare figure of their unit: `7`, or `1½` for hours.
fn amount(minutes: u64) -> String {
    if minutes < HOURS_FROM_MINUTES {
        return minutes.to_string();
    }
    let half = if minutes.is_multiple_of(60) { "" } else { "½" };
    format!("{}{half}", minutes / 60)
}

fn duration(minutes: u64) -> String {
    let unit = match minutes {
        1 => "minute",
        _ if minutes < HOURS_FROM_MINUTES => "minutes",
        _ => "hours",
    };
    format!("{} {unit}", amount(minutes))
}

/// A count with separators: `12,345`.
pub(super) fn count(n: u64) -> String {
    let digits = n.to_string();
    let mut grouped = String::with_capacity(digits.len() + digits.len() / 3);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped
}

/// Minor units in words: `$299.99`, `CHF 1,200.00`, `¥2,500`.
pub(super) fn money(amount: i64, currency: &str) -> String {
    let digits = fraction_digits(currency);
    let scale = 10_u64.pow(digits);
    let whole = amount.unsigned_abs() / scale;
    let rest = amount.unsigned_abs() % scale;
    let mut text = String::new();
    if amount < 0 {
        text.push('-');
    }
    match currency {
        "USD" => text.push('$'),
        "EUR" => text.push('€'),
        "GBP" => text.push('£'),
        "JPY" => text.push('¥'),
        other => {
            text.push_str(other);
            // A no-break space, so that the amount stays with its currency.
            text.push('\u{a0}');
        }
    }
    text.push_str(&count(whole));
    if digits > 0 {
        let width = digits as usize;
        // Writing to a String cannot fail.
        let _ = write!(text, ".{rest:0width$}");
    }
    text
}

/// How many decimals a currency has (ISO 4217); two unless listed.
fn fraction_digits(currency: &str) -> u32 {
    match currency {
        "BIF" | "CLP" | "DJF" | "GNF" | "ISK" | "JPY" | "KMF" | "KRW" | "PYG" | "RWF" | "UGX"
        | "VND" | "VUV" | "XAF" | "XOF" | "XPF" => 0,
        "BHD" | "IQD" | "JOD" | "KWD" | "LYD" | "OMR" | "TND" => 3,
        _ => 2,
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use serde::Deserialize;

    use crate::pages::SlipReason;

    #[derive(Deserialize)]
    struct Cases {
        wait: Vec<(u64, u64, String)>,
        count: Vec<(u64, String)>,
        money: Vec<(i64, String, String)>,
        reason: Vec<(String, String)>,
    }

    #[test]
    fn words_are_those_the_script_uses() {
        let cases: Cases =
            serde_json::from_str(include_str!("../../web/testdata/wording.json")).unwrap();
        for (low, high, words) in cases.wait {
            assert_eq!(super::wait(low, high), words, "wait {low} to {high}");
        }
        for (n, words) in cases.count {
            assert_eq!(super::count(n), words);
        }
        for (amount, currency, words) in cases.money {
            assert_eq!(super::money(amount, &currency), words);
        }
        for (reason, words) in cases.reason {
            let reason = SlipReason::named(&reason).unwrap();
            assert_eq!(reason.words(), words);
        }
    }
}
