//! `usher verify-draw FILE`: reads a record, recomputes it and says in words what was found.

use std::fs::File;
use std::io::{self, BufReader, Read, Write};
use std::path::Path;
use std::time::{Duration, Instant};

use ring::digest;

use super::bytes::finished;
use super::record::{FormatError, Record, read_record};
use super::verify::{Difference, Summary, verify_record};

/// A reader who waits longer than this hears how far it is.
const PROGRESS_EVERY: Duration = Duration::from_secs(2);

#[derive(Debug, thiserror::Error)]
pub enum VerifyFileError {
    #[error("the record could not be opened; give the file's path, or an address with https://")]
    Open(#[source] io::Error),
    #[error("the record could not be read")]
    Read(#[source] io::Error),
    #[error("the report could not be written: {0}")]
    Report(#[from] io::Error),
}

/// Checks a published record and writes a report. `true` only if everything in it follows.
pub fn verify_file(path: &Path, out: &mut dyn Write) -> Result<bool, VerifyFileError> {
    verify(File::open(path).map_err(VerifyFileError::Open)?, out)
}

/// The same for a record that is read from anywhere.
pub fn verify(record: impl Read, out: &mut dyn Write) -> Result<bool, VerifyFileError> {
    let mut input = BufReader::new(Hashing {
        inner: record,
        context: digest::Context::new(&digest::SHA256),
    });
    let mut told = Instant::now();
    let mut progress = |fans: usize| -> io::Result<()> {
        if told.elapsed() >= PROGRESS_EVERY {
            told = Instant::now();
            writeln!(out, "{fans} fans read ...")?;
            out.flush()?;
        }
        Ok(())
    };
    let record = match read_record(&mut input, &mut progress) {
        Ok(record) => record,
        Err(FormatError::Io(error)) => return Err(VerifyFileError::Read(error)),
        Err(error) => {
            writeln!(
                out,
                "REJECTED: this is not a record of a draw.\n  - {error}"
            )?;
            return Ok(false);
        }
    };
    let sha256 = hex::encode(finished(input.into_inner().context));
    report_inputs(&record, &sha256, out)?;
    match verify_record(&record) {
        Ok(summary) => report_accepted(&summary, out)?,
        Err(differences) => {
            report_rejected(&differences, out)?;
            return Ok(false);
        }
    }
    Ok(true)
}

fn report_inputs(record: &Record, sha256: &str, out: &mut dyn Write) -> io::Result<()> {
    let header = &record.header;
    writeln!(
        out,
        "Draw of event {}, lane {}: {} fans",
        header.event,
        header.lane,
        record.places.len()
    )?;
    writeln!(out, "  SHA-256 of the file  {sha256}")?;
    writeln!(
        out,
        "  commitment           {}",
        hex::encode(header.commitment)
    )?;
    writeln!(out, "  root of the list     {}", hex::encode(header.root))?;
    writeln!(
        out,
        "  root published at    {}",
        header.root_published_at.to_rfc3339()
    )?;
    writeln!(
        out,
        "  signed by            {}",
        hex::encode(header.signed_by)
    )?;
    writeln!(out, "  entropy rule         {}", header.rule)?;
    writeln!(out, "Recomputing everything ...")?;
    out.flush()
}

fn report_accepted(summary: &Summary, out: &mut dyn Write) -> io::Result<()> {
    writeln!(out, "  entropy              {}", summary.entropy)?;
    writeln!(out, "  seed                 {}", hex::encode(summary.seed))?;
    if let Some(warning) = summary.warning {
        writeln!(out, "  note: {warning}")?;
    }
    writeln!(
        out,
        "ACCEPTED: all {} numbers follow from the list, the secret and the entropy.",
        summary.fans
    )?;
    writeln!(
        out,
        "Compare commitment, root and signing key with what was published before the draw."
    )
}

fn report_rejected(differences: &[Difference], out: &mut dyn Write) -> io::Result<()> {
    writeln!(out, "REJECTED: the record contradicts itself.")?;
    for difference in differences {
        writeln!(out, "  - {difference}")?;
    }
    Ok(())
}

/// Hashes what passes, so that the file is named by what was really read.
struct Hashing<R> {
    inner: R,
    context: digest::Context,
}

impl<R: Read> Read for Hashing<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.inner.read(buffer)?;
        self.context.update(&buffer[..read]);
        Ok(read)
    }
}
