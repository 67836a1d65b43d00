//! The published record of a draw: one line of JSON (everything the draw hangs on), then one line
//! `<number> <fan id in hex>` for each fan, by number. A million fans are 40 MB that can be read,
//! searched and checked line by line. There is one way to write a record, so any changed byte shows.

use std::io::{self, BufRead, Read, Write};

use serde::{Deserialize, Serialize};
use usher_base::{EventId, FanId, Lane, Timestamp};

use super::bytes::{Hash, hexed};
use super::rule::{EntropyRule, Evidence};
use super::statement::RootNotice;

/// The most fans a record may list. While it is checked each costs about 130 bytes of memory.
pub const MAX_FANS: usize = 5_000_000;
const MAX_HEADER_BYTES: u64 = 65_536;
/// A number below 2^32, a space, 32 hex digits and the line's end.
const MAX_LINE_BYTES: u64 = 44;
/// A reader hears of its progress every so many fans.
const PROGRESS_EVERY_FANS: usize = 65_536;

/// The version of the record's form, and so of all rules of docs/draw.md.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum RecordFormat {
    #[serde(rename = "usher-draw-record-1")]
    Version1,
}

/// The first line of a record.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RecordHeader {
    pub format: RecordFormat,
    pub event: EventId,
    pub lane: Lane,
    /// How many lines follow.
    pub fans: u32,
    pub rule: EntropyRule,
    #[serde(with = "hexed")]
    pub commitment: Hash,
    /// Secret until the draw, public with it.
    #[serde(with = "hexed")]
    pub secret: Hash,
    #[serde(with = "hexed")]
    pub root: Hash,
    pub root_published_at: Timestamp,
    pub entropy: Evidence,
    #[serde(with = "hexed")]
    pub seed: Hash,
    /// The Ed25519 key with which the operator signed the root's notice before the entropy came.
    #[serde(with = "hexed")]
    pub signed_by: [u8; 32],
    #[serde(with = "hexed")]
    pub signature: [u8; 64],
}

impl RecordHeader {
    /// What the operator announced and signed when the list was final.
    pub fn notice(&self) -> RootNotice {
        RootNotice {
            event: self.event,
            lane: self.lane.clone(),
            commitment: self.commitment,
            fans: self.fans,
            root: self.root,
            root_published_at: self.root_published_at,
        }
    }
}

/// One fan's line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    pub number: u32,
    pub fan: FanId,
}

/// A record as it was read: well-formed, and not yet believed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    pub header: RecordHeader,
    pub places: Vec<Place>,
}

/// Writes the record of a finished draw; `order` begins with the fan of number 1.
pub fn write_record(
    out: &mut impl Write,
    header: &RecordHeader,
    order: &[FanId],
) -> io::Result<()> {
    writeln!(out, "{}", serde_json::to_string(header)?)?;
    for (number, fan) in (1u32..).zip(order) {
        writeln!(out, "{number} {}", fan)?;
    }
    Ok(())
}

/// Reads a record and refuses what is not in the one form that [`write_record`] gives it.
/// `progress` hears now and then how many fans were read.
pub fn read_record(
    input: &mut impl BufRead,
    progress: &mut dyn FnMut(usize) -> io::Result<()>,
) -> Result<Record, FormatError> {
    let mut line = Vec::new();
    if !read_line(input, &mut line, MAX_HEADER_BYTES, 1)? {
        return Err(FormatError::Empty);
    }
    let header = parse_header(&line)?;
    let mut places = Vec::new();
    while read_line(input, &mut line, MAX_LINE_BYTES, places.len() + 2)? {
        if places.len() == MAX_FANS {
            return Err(FormatError::TooManyFans);
        }
        let place = parse_place(&line).ok_or(FormatError::Place {
            line: places.len() + 2,
        })?;
        places.push(place);
        if places.len().is_multiple_of(PROGRESS_EVERY_FANS) {
            progress(places.len())?;
        }
    }
    Ok(Record { header, places })
}

/// One line without its end into `line`; `false` at the end of the file.
fn read_line(
    input: &mut impl BufRead,
    line: &mut Vec<u8>,
    max_bytes: u64,
    line_number: usize,
) -> Result<bool, FormatError> {
    line.clear();
    if input.by_ref().take(max_bytes).read_until(b'\n', line)? == 0 {
        return Ok(false);
    }
    match line.pop() {
        Some(b'\n') => Ok(true),
        _ => Err(FormatError::LineEnd {
            line: line_number,
            max_bytes,
        }),
    }
}

fn parse_header(line: &[u8]) -> Result<RecordHeader, FormatError> {
    let header: RecordHeader = serde_json::from_slice(line)?;
    if serde_json::to_vec(&header)? != line {
        return Err(FormatError::OtherSpelling);
    }
    Ok(header)
}

fn parse_place(line: &[u8]) -> Option<Place> {
    let (number, fan) = std::str::from_utf8(line).ok()?.split_once(' ')?;
    let spelled_once = number.bytes().all(|b| b.is_ascii_digit())
        && !number.starts_with('0')
        && !fan.bytes().any(|b| b.is_ascii_uppercase());
    let place = Place {
        number: number.parse().ok()?,
        fan: fan.parse().ok()?,
    };
    spelled_once.then_some(place)
}

#[derive(Debug, thiserror::Error)]
pub enum FormatError {
    #[error("the file could not be read: {0}")]
    Io(#[from] io::Error),
    #[error("the file is empty")]
    Empty,
    #[error(
        "line {line} is longer than {max_bytes} bytes or does not end; the file may be cut off"
    )]
    LineEnd { line: usize, max_bytes: u64 },
    #[error("line 1 is not the header of a draw's record: {0}")]
    Header(#[from] serde_json::Error),
    #[error(
        "line 1 says the right things in another spelling than usher writes; take the file as it was published"
    )]
    OtherSpelling,
    #[error("line {line} is not a number, a space and a fan id of 32 lower-case hex digits")]
    Place { line: usize },
    #[error("the record lists more than {MAX_FANS} fans")]
    TooManyFans,
}
