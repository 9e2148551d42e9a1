//! A loopback array: HTTP or HTTPS, with a session to log in to, and with every fault a test asks for.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use sha2::{Digest, Sha256};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

/// The secret that the login accepts.
pub const SECRET: &str = "the-api-token";

/// What a test can see and set.
#[derive(Default)]
pub struct Facts {
    pub connections: AtomicUsize,
    pub logins: AtomicUsize,
    pub logouts: AtomicUsize,
    pub versions: AtomicUsize,
    pub requests: AtomicUsize,
    /// Whether the next request is answered with 401 although its token is right.
    pub expire: AtomicBool,
    /// What its answers say of the time; none: nothing.
    pub dated: std::sync::Mutex<Option<String>>,
    /// What a request showed last: every header line.
    pub seen: std::sync::Mutex<String>,
}

impl Facts {
    pub fn logins(&self) -> usize {
        self.logins.load(Ordering::SeqCst)
    }
}

/// A running array; it ends with the test.
pub struct Array {
    pub address: String,
    pub facts: Arc<Facts>,
    pub certificate_pem: String,
    pub fingerprint: String,
}

impl Array {
    pub async fn plain() -> Self {
        Self::start(None, "127.0.0.1").await
    }

    /// With a certificate of its own for `name`.
    pub async fn tls(name: &str) -> Self {
        let made = rcgen::generate_simple_self_signed(vec![name.to_owned()]).unwrap();
        Self::presenting(&made.cert, &made.signing_key, name).await
    }

    /// That presents this certificate, reached as `host`.
    pub async fn presenting(
        certificate: &rcgen::Certificate,
        key: &rcgen::KeyPair,
        host: &str,
    ) -> Self {
        Self::start(Some((certificate, key)), host).await
    }

    async fn start(made: Option<(&rcgen::Certificate, &rcgen::KeyPair)>, host: &str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address: SocketAddr = listener.local_addr().unwrap();
        let facts = Arc::new(Facts::default());
        let (mut pem, mut fingerprint, mut acceptor) = (String::new(), String::new(), None);
        if let Some((certificate, key)) = made {
            pem = certificate.pem();
            fingerprint = hex::encode(Sha256::digest(certificate.der()));
            let key = rustls::pki_types::PrivateKeyDer::try_from(key.serialize_der()).unwrap();
            let config = rustls::ServerConfig::builder_with_provider(Arc::new(
                rustls::crypto::ring::default_provider(),
            ))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![certificate.der().clone()], key)
            .unwrap();
            acceptor = Some(TlsAcceptor::from(Arc::new(config)));
        }
        let shared = facts.clone();
        tokio::spawn(async move {
            while let Ok((tcp, _)) = listener.accept().await {
                let (facts, acceptor) = (shared.clone(), acceptor.clone());
                facts.connections.fetch_add(1, Ordering::SeqCst);
                tokio::spawn(async move {
                    match acceptor {
                        None => serve(tcp, &facts).await,
                        Some(acceptor) => {
                            if let Ok(tls) = acceptor.accept(tcp).await {
                                serve(tls, &facts).await;
                            }
                        }
                    }
                });
            }
        });
        Self {
            address: format!("{host}:{}", address.port()),
            facts,
            certificate_pem: pem,
            fingerprint,
        }
    }
}

async fn serve(mut stream: impl AsyncRead + AsyncWrite + Unpin, facts: &Facts) {
    let mut buffer = Vec::new();
    loop {
        let end = loop {
            if let Some(at) = buffer.windows(4).position(|w| w == b"\r\n\r\n") {
                break at + 4;
            }
            let mut chunk = [0; 4096];
            match stream.read(&mut chunk).await {
                Ok(0) | Err(_) => return,
                Ok(n) => buffer.extend_from_slice(&chunk[..n]),
            }
        };
        let head = String::from_utf8_lossy(&buffer[..end]).to_ascii_lowercase();
        let length: usize = head
            .lines()
            .find_map(|l| l.strip_prefix("content-length: "))
            .map_or(0, |n| n.trim().parse().unwrap());
        while buffer.len() < end + length {
            let mut chunk = [0; 4096];
            match stream.read(&mut chunk).await {
                Ok(0) | Err(_) => return,
                Ok(n) => buffer.extend_from_slice(&chunk[..n]),
            }
        }
        buffer.drain(..end + length);
        let Some(answer) = answer(&head, facts).await else {
            return;
        };
        if stream.write_all(answer.as_bytes()).await.is_err() {
            return;
        }
        if answer.contains("content-length: 1000\r\n") {
            // A body that drips: one byte, and then nothing for ever.
            std::future::pending::<()>().await;
        }
    }
}

/// The answer; none closes the connection without one.
async fn answer(head: &str, facts: &Facts) -> Option<String> {
    let dated = facts.dated.lock().unwrap().clone();
    let dated = dated.map_or_else(String::new, |date| format!("date: {date}\r\n"));
    let reply = |status: &str, headers: &str, body: &str| {
        Some(format!(
            "HTTP/1.1 {status}\r\n{dated}{headers}content-length: {}\r\n\r\n{body}",
            body.len()
        ))
    };
    let mut line = head.lines().next().unwrap().split(' ');
    let (_method, path) = (line.next().unwrap(), line.next().unwrap());
    match path {
        "/api/api_version" => {
            facts.versions.fetch_add(1, Ordering::SeqCst);
            return reply("200 OK", "", r#"{"version":["1.0","2.2","2.26"]}"#);
        }
        "/api/2.26/login" => {
            let number = facts.logins.fetch_add(1, Ordering::SeqCst) + 1;
            return if head.contains(&format!("api-token: {SECRET}")) {
                reply("200 OK", &format!("x-auth-token: token-{number}\r\n"), "{}")
            } else {
                reply(
                    "400 Bad Request",
                    "",
                    &format!("invalid token; you sent: {}", head.replace("\r\n", " ")),
                )
            };
        }
        "/api/2.26/logout" => {
            facts.logouts.fetch_add(1, Ordering::SeqCst);
            return reply("200 OK", "", "");
        }
        _ => {}
    }
    let number = facts.requests.fetch_add(1, Ordering::SeqCst);
    *facts.seen.lock().unwrap() = head.to_owned();
    if facts.expire.swap(false, Ordering::SeqCst) {
        return reply("401 Unauthorized", "", "");
    }
    match path {
        "/hang" => std::future::pending().await,
        "/drip" => Some("HTTP/1.1 200 OK\r\ncontent-length: 1000\r\n\r\nx".to_owned()),
        "/reset" => None,
        "/reset-once" if number == 0 => None,
        "/redirect" => reply("302 Found", "location: http://169.254.169.254/\r\n", ""),
        "/busy" => reply("429 Too Many Requests", "retry-after: 3\r\n", ""),
        "/large" => reply("200 OK", "", &"x".repeat(1 << 20)),
        "/leak" => reply(
            "200 OK",
            "set-cookie: a=b\r\nx-auth-token: token-9\r\nx-fine: yes\r\n",
            "leak",
        ),
        // An error page that quotes what it was sent, a debug header that does, and the newest token where none belongs.
        "/echo" => {
            let quoted = head.replace("\r\n", " ");
            let token = format!("token-{}", facts.logins());
            reply(
                "200 OK",
                &format!("x-debug: {quoted}\r\nx-next-token: {token}\r\n"),
                &format!("{quoted} {token} {SECRET}"),
            )
        }
        "/garbage" => Some("this is not HTTP\r\n\r\n".to_owned()),
        _ => reply("200 OK", "", "ok"),
    }
}
