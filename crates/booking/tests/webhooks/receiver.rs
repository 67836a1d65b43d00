//! A customer's endpoint: a real HTTP listener that takes what comes, fails or
//! hangs, as it is told to, and remembers all that it heard.

use std::sync::{Arc, Mutex};

use serde_json::Value;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Manner {
    Take,
    Fail,
    Hang,
}

/// One request, however it was answered.
#[derive(Clone, Debug)]
pub struct Heard {
    pub id: i64,
    pub signature: String,
    pub body: String,
    pub taken: bool,
}

impl Heard {
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap()
    }
}

#[derive(Clone)]
pub struct Receiver {
    pub url: String,
    manner: Arc<Mutex<Manner>>,
    heard: Arc<Mutex<Vec<Heard>>>,
}

impl Receiver {
    pub async fn open(manner: Manner) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let receiver = Self {
            url: format!("http://{}/hooks", listener.local_addr().unwrap()),
            manner: Arc::new(Mutex::new(manner)),
            heard: Arc::default(),
        };
        let served = receiver.clone();
        tokio::spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                tokio::spawn(served.clone().answer(stream));
            }
        });
        receiver
    }

    pub fn is_now(&self, manner: Manner) {
        *self.manner.lock().unwrap() = manner;
    }

    pub fn heard(&self) -> Vec<Heard> {
        self.heard.lock().unwrap().clone()
    }

    /// The ids of what it took, in the order of taking.
    pub fn taken(&self) -> Vec<i64> {
        let heard = self.heard();
        let taken = heard.iter().filter(|heard| heard.taken);
        taken.map(|heard| heard.id).collect()
    }

    async fn answer(self, mut stream: TcpStream) {
        let (head, body) = read(&mut stream).await;
        let field = |name: &str| {
            let mut lines = head.lines();
            let line = lines.find_map(|line| line.strip_prefix(&format!("{name}: ")));
            line.unwrap().to_owned()
        };
        let manner = *self.manner.lock().unwrap();
        self.heard.lock().unwrap().push(Heard {
            id: field("usher-delivery").parse().unwrap(),
            signature: field("usher-signature"),
            body,
            taken: manner == Manner::Take,
        });
        let status = match manner {
            Manner::Take => "204 No Content",
            Manner::Fail => "500 Internal Server Error",
            // Until the other side gives up.
            Manner::Hang => return drop(stream.read_u8().await),
        };
        let answer = format!("HTTP/1.1 {status}\r\nconnection: close\r\n\r\n");
        let _ = stream.write_all(answer.as_bytes()).await;
    }
}

async fn read(stream: &mut TcpStream) -> (String, String) {
    let mut text = String::new();
    loop {
        let mut part = [0; 4096];
        let count = stream.read(&mut part).await.unwrap();
        assert_ne!(count, 0, "a request without an end: {text}");
        text.push_str(std::str::from_utf8(&part[..count]).unwrap());
        let Some((head, body)) = text.split_once("\r\n\r\n") else {
            continue;
        };
        let length = head
            .lines()
            .find_map(|l| l.strip_prefix("content-length: "));
        if body.len() == length.unwrap().parse::<usize>().unwrap() {
            return (head.to_owned(), body.to_owned());
        }
    }
}
