//! Writes one HTTP/1.1 request as bytes. Header values come from us or from the
//! server's tokens; a value that could break out of its line is refused.

/// One request, borrowed from its caller.
#[derive(Debug, Clone, Copy, Default)]
pub struct Request<'a> {
    pub method: &'a str,
    pub path: &'a str,
    pub host: &'a str,
    pub bearer: Option<&'a str>,
    /// `X-Forwarded-For`: the address this fan pretends to come from.
    pub from: Option<&'a str>,
    pub json: Option<&'a [u8]>,
}

impl Request<'_> {
    /// Appends the request to `out`.
    pub fn write(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(self.method.as_bytes());
        out.push(b' ');
        out.extend_from_slice(self.path.as_bytes());
        out.extend_from_slice(b" HTTP/1.1\r\nhost: ");
        out.extend_from_slice(self.host.as_bytes());
        if let Some(token) = self.bearer {
            header(out, "authorization: Bearer ", token);
        }
        if let Some(from) = self.from {
            header(out, "x-forwarded-for: ", from);
        }
        match self.json {
            Some(body) => {
                header(out, "content-type: ", "application/json");
                header(out, "content-length: ", &body.len().to_string());
                out.extend_from_slice(b"\r\n\r\n");
                out.extend_from_slice(body);
            }
            None if self.method == "GET" => out.extend_from_slice(b"\r\n\r\n"),
            None => out.extend_from_slice(b"\r\ncontent-length: 0\r\n\r\n"),
        }
    }
}

/// A value with a line break in it is left out: it would start a header of its own.
fn header(out: &mut Vec<u8>, name: &str, value: &str) {
    if value.bytes().any(|byte| byte == b'\r' || byte == b'\n') {
        return;
    }
    out.extend_from_slice(b"\r\n");
    out.extend_from_slice(name.as_bytes());
    out.extend_from_slice(value.as_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_is_written_as_the_standard_wants_it() {
        let mut out = Vec::new();
        let request = Request {
            method: "POST",
            path: "/x",
            host: "h:1",
            bearer: Some("t"),
            from: Some("10.0.0.1\r\nevil: 1"),
            json: Some(b"{}"),
        };
        request.write(&mut out);
        assert_eq!(
            String::from_utf8_lossy(&out),
            "POST /x HTTP/1.1\r\nhost: h:1\r\nauthorization: Bearer t\r\n\
             content-type: application/json\r\ncontent-length: 2\r\n\r\n{}"
        );
    }
}
