//! One keep-alive connection: writes a request, reads exactly one response.
//! Heads and bodies are bounded; a body longer than the caller wants to keep is
//! drained and counted, as a browser would load it, but not stored.

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

use super::HttpError;

/// Longest response head in bytes.
const HEAD_BYTES_MAX: usize = 32 * 1024;
/// Most headers in one response.
const HEADERS_MAX: usize = 64;
/// Longest body in bytes that is drained; a large seat map is about 8 MB.
const BODY_BYTES_MAX: u64 = 64 * 1024 * 1024;
/// Longest line in bytes that carries a chunk's size.
const CHUNK_LINE_BYTES_MAX: usize = 256;
/// How much one read asks for, in bytes.
const READ_BYTES: usize = 8 * 1024;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Head {
    pub status: u16,
    pub retry_after_seconds: Option<u32>,
    pub keep_alive: bool,
    framing: Framing,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Framing {
    Length(u64),
    Chunked,
    UntilClose,
}

#[derive(Debug)]
pub struct Connection<S> {
    socket: S,
    /// Bytes read and not yet used.
    inbox: Vec<u8>,
    body: Vec<u8>,
    body_bytes: u64,
    keep: usize,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Connection<S> {
    pub fn new(socket: S) -> Self {
        Self {
            socket,
            inbox: Vec::new(),
            body: Vec::new(),
            body_bytes: 0,
            keep: 0,
        }
    }

    /// Sends `request` and reads the response; at most `keep` bytes of its body stay.
    pub async fn round_trip(&mut self, request: &[u8], keep: usize) -> Result<Head, HttpError> {
        self.socket.write_all(request).await?;
        self.body.clear();
        self.body_bytes = 0;
        self.keep = keep;
        let head = self.read_head().await?;
        match head.framing {
            Framing::Length(length) => self.read_exactly(length).await?,
            Framing::Chunked => self.read_chunks().await?,
            Framing::UntilClose => self.read_until_close().await?,
        }
        Ok(head)
    }

    /// The kept part of the last body.
    pub fn body(&self) -> &[u8] {
        &self.body
    }

    /// The length of the last body, kept or not.
    pub fn body_bytes(&self) -> u64 {
        self.body_bytes
    }

    async fn fill(&mut self) -> Result<usize, HttpError> {
        self.inbox.reserve(READ_BYTES);
        Ok(self.socket.read_buf(&mut self.inbox).await?)
    }

    async fn fill_some(&mut self) -> Result<(), HttpError> {
        if self.fill().await? == 0 {
            return Err(HttpError::ClosedEarly);
        }
        Ok(())
    }

    async fn read_head(&mut self) -> Result<Head, HttpError> {
        loop {
            match parse_head(&self.inbox)? {
                Some((used, head)) => {
                    self.inbox.drain(..used);
                    let is_interim = (100..200).contains(&head.status);
                    if !is_interim {
                        return Ok(head);
                    }
                }
                None if self.inbox.len() > HEAD_BYTES_MAX => {
                    return Err(HttpError::Malformed("its head is too long"));
                }
                None => self.fill_some().await?,
            }
        }
    }

    /// Moves `count` bytes from the inbox to the body, keeping what was asked for.
    fn accept(&mut self, count: usize) -> Result<(), HttpError> {
        self.body_bytes += count as u64;
        if self.body_bytes > BODY_BYTES_MAX {
            return Err(HttpError::Malformed("its body is too long"));
        }
        let kept = count.min(self.keep.saturating_sub(self.body.len()));
        self.body.extend_from_slice(&self.inbox[..kept]);
        self.inbox.drain(..count);
        Ok(())
    }

    async fn read_exactly(&mut self, length: u64) -> Result<(), HttpError> {
        let mut left = length;
        while left > 0 {
            if self.inbox.is_empty() {
                self.fill_some().await?;
            }
            let count = self
                .inbox
                .len()
                .min(usize::try_from(left).unwrap_or(usize::MAX));
            self.accept(count)?;
            left -= count as u64;
        }
        Ok(())
    }

    async fn read_until_close(&mut self) -> Result<(), HttpError> {
        loop {
            self.accept(self.inbox.len())?;
            if self.fill().await? == 0 {
                return Ok(());
            }
        }
    }

    async fn read_chunks(&mut self) -> Result<(), HttpError> {
        loop {
            let size = self.read_chunk_size().await?;
            if size == 0 {
                return self.read_trailers().await;
            }
            self.read_exactly(size).await?;
            self.skip_line().await?;
        }
    }

    async fn read_chunk_size(&mut self) -> Result<u64, HttpError> {
        loop {
            match httparse::parse_chunk_size(&self.inbox) {
                Ok(httparse::Status::Complete((used, size))) => {
                    self.inbox.drain(..used);
                    return Ok(size);
                }
                Ok(httparse::Status::Partial) if self.inbox.len() <= CHUNK_LINE_BYTES_MAX => {
                    self.fill_some().await?;
                }
                _ => return Err(HttpError::Malformed("a chunk has no size")),
            }
        }
    }

    /// Drops one line from the inbox and tells its length without the line end.
    async fn skip_line(&mut self) -> Result<usize, HttpError> {
        loop {
            if let Some(end) = self.inbox.iter().position(|byte| *byte == b'\n') {
                self.inbox.drain(..=end);
                return Ok(end.saturating_sub(1));
            }
            if self.inbox.len() > HEAD_BYTES_MAX {
                return Err(HttpError::Malformed("a line of its body is too long"));
            }
            self.fill_some().await?;
        }
    }

    async fn read_trailers(&mut self) -> Result<(), HttpError> {
        for _ in 0..HEADERS_MAX {
            if self.skip_line().await? == 0 {
                return Ok(());
            }
        }
        Err(HttpError::Malformed("it has too many trailers"))
    }
}

fn parse_head(bytes: &[u8]) -> Result<Option<(usize, Head)>, HttpError> {
    let mut headers = [httparse::EMPTY_HEADER; HEADERS_MAX];
    let mut response = httparse::Response::new(&mut headers);
    let used = match response.parse(bytes) {
        Ok(httparse::Status::Complete(used)) => used,
        Ok(httparse::Status::Partial) => return Ok(None),
        Err(_) => return Err(HttpError::Malformed("its head cannot be read")),
    };
    let status = response
        .code
        .ok_or(HttpError::Malformed("it has no status"))?;
    let mut head = Head {
        status,
        retry_after_seconds: None,
        keep_alive: response.version == Some(1),
        framing: Framing::UntilClose,
    };
    for header in response.headers.iter() {
        read_header(&mut head, header)?;
    }
    if status < 200 || status == 204 || status == 304 {
        head.framing = Framing::Length(0);
    }
    head.keep_alive &= head.framing != Framing::UntilClose;
    Ok(Some((used, head)))
}

fn read_header(head: &mut Head, header: &httparse::Header<'_>) -> Result<(), HttpError> {
    let text = || std::str::from_utf8(header.value).unwrap_or_default().trim();
    if header.name.eq_ignore_ascii_case("content-length") {
        let length = text()
            .parse()
            .map_err(|_| HttpError::Malformed("its length is no number"))?;
        if head.framing != Framing::Chunked {
            head.framing = Framing::Length(length);
        }
    } else if header.name.eq_ignore_ascii_case("transfer-encoding") {
        head.framing = Framing::Chunked;
    } else if header.name.eq_ignore_ascii_case("connection") {
        head.keep_alive &= !text().eq_ignore_ascii_case("close");
    } else if header.name.eq_ignore_ascii_case("retry-after") {
        head.retry_after_seconds = text().parse().ok();
    }
    Ok(())
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use proptest::prelude::*;
    use tokio::io::duplex;

    use super::*;

    /// Answers with `reply`, cut into pieces of `piece` bytes, then closes.
    async fn answer(
        reply: &[u8],
        piece: usize,
        keep: usize,
    ) -> Result<(Head, Vec<u8>, u64), HttpError> {
        let (ours, mut theirs) = duplex(64);
        let ask = async {
            // Dropped at the end, so that a server which still writes is set free.
            let mut connection = Connection::new(ours);
            let head = connection.round_trip(b"ping", keep).await?;
            Ok((head, connection.body().to_vec(), connection.body_bytes()))
        };
        let serve = async {
            let mut request = [0; 4];
            theirs.read_exact(&mut request).await.unwrap();
            for part in reply.chunks(piece) {
                if theirs.write_all(part).await.is_err() {
                    break;
                }
            }
            drop(theirs);
        };
        tokio::join!(ask, serve).0
    }

    #[tokio::test]
    async fn chunks_with_extensions_and_trailers_are_joined() {
        let reply = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n\
                      3;x=1\r\nabc\r\n2\r\nde\r\n0\r\nT: v\r\n\r\n";
        let (head, body, _) = answer(reply, 3, 100).await.unwrap();
        assert!(head.keep_alive);
        assert_eq!(body, b"abcde");
    }

    #[tokio::test]
    async fn a_long_body_is_drained_and_counted_but_only_its_start_is_kept() {
        let mut reply = b"HTTP/1.1 200 OK\r\ncontent-length: 50000\r\n\r\n".to_vec();
        reply.extend(std::iter::repeat_n(b'x', 50_000));
        let (_, body, bytes) = answer(&reply, 999, 10).await.unwrap();
        assert_eq!((body.len(), bytes), (10, 50_000));
    }

    #[tokio::test]
    async fn interim_answers_are_skipped_and_retry_after_is_read() {
        let reply = b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 503 Busy\r\nretry-after: 7\r\n\
                      connection: close\r\ncontent-length: 0\r\n\r\n";
        let (head, _, _) = answer(reply, 5, 0).await.unwrap();
        assert_eq!(
            (head.status, head.retry_after_seconds, head.keep_alive),
            (503, Some(7), false)
        );
    }

    #[tokio::test]
    async fn a_body_without_length_ends_with_the_connection() {
        let (head, body, _) = answer(b"HTTP/1.1 200 OK\r\n\r\nhello", 2, 99)
            .await
            .unwrap();
        assert!(!head.keep_alive);
        assert_eq!(body, b"hello");
    }

    #[tokio::test]
    async fn a_cut_answer_is_an_error() {
        let cut = b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nabc";
        assert!(matches!(
            answer(cut, 4, 99).await,
            Err(HttpError::ClosedEarly)
        ));
        let endless = [b"HTTP/1.1 200 OK\r\nx: ".as_slice(), &vec![b'y'; 40_000]].concat();
        assert!(matches!(
            answer(&endless, 4096, 99).await,
            Err(HttpError::Malformed(_))
        ));
        assert!(matches!(
            answer(b"SSH-2.0\r\n\r\n", 4, 99).await,
            Err(HttpError::Malformed(_))
        ));
    }

    proptest! {
        /// However the network cuts a response, the same body comes out.
        #[test]
        fn pieces_do_not_matter(body in proptest::collection::vec(any::<u8>(), 0..300), piece in 1usize..64) {
            let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
            let mut reply = format!("HTTP/1.1 201 Created\r\nContent-Length: {}\r\n\r\n", body.len()).into_bytes();
            reply.extend_from_slice(&body);
            let (head, got, _) = runtime.block_on(answer(&reply, piece, 1000)).unwrap();
            prop_assert_eq!(head.status, 201);
            prop_assert_eq!(got, body);
        }
    }
}
