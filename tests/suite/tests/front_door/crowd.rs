//! Crowds of clients that mean no good, beside one that does: it is served all the time.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};
use tokio::task::JoinSet;

use crate::house::{House, TOKEN};

/// What an honest client waits for an answer.
const WAITS: Duration = Duration::from_secs(30);
/// More than a host has places for.
const DEAF: usize = 700;
const DRIPPING: usize = 300;
const PLACES: usize = 500;

fn house() -> House {
    House::new(
        "",
        &format!(
            "[auth]\nmode = \"tokens\"\ntokens_file = \"tokens.toml\"\n[limits]\nconnections = {PLACES}"
        ),
    )
}

/// A connection that takes as little as it can.
async fn connect(house: &House) -> Option<TcpStream> {
    let socket = TcpSocket::new_v4().unwrap();
    socket.set_recv_buffer_size(4096).unwrap();
    socket.connect(house.address).await.ok()
}

/// Asks as whoever has a token does: each time on a connection of its own.
async fn honest(house: &House, times: usize) {
    let client = reqwest::Client::builder()
        .pool_max_idle_per_host(0)
        .timeout(WAITS)
        .build()
        .unwrap();
    for n in 0..times {
        let ask = async |path: &str| {
            let asked = client.get(format!("{}{path}", house.url()));
            let answer = asked.header("x-auth-token", TOKEN).send().await;
            let status = answer.map(|answer| answer.status().as_u16());
            assert_eq!(
                status.unwrap_or_else(|error| panic!("{path}, {n}: {error:?}")),
                200
            );
        };
        ask("/healthz").await;
        ask("/v3/types").await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn clients_that_ask_and_never_read_keep_nobody_out() {
    let house = Arc::new(house());
    let _host = house.runs().await;
    let mut deaf = Vec::new();
    let request = b"GET /openapi.json HTTP/1.1\r\nhost: x\r\n\r\n".repeat(20);
    for n in 0..DEAF {
        if let Some(mut stream) = connect(&house).await {
            let _ = stream.write_all(&request).await;
            deaf.push(stream);
        }
        if n % 50 == 0 {
            honest(&house, 1).await;
        }
    }
    assert!(deaf.len() >= PLACES, "only {} came in", deaf.len());
    honest(&house, 30).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn clients_that_drip_keep_nobody_out() {
    let house = Arc::new(house());
    let _host = house.runs().await;
    let stop = Arc::new(AtomicBool::new(false));
    let mut crowd = JoinSet::new();
    for n in 0..DEAF + DRIPPING {
        let (house, stop) = (Arc::clone(&house), Arc::clone(&stop));
        crowd.spawn(async move {
            // Heads that do not end, and bodies that do not come.
            let head = match n % 2 {
                0 => "GET /v3/types HTTP/1.1\r\nhost: x\r\nx-drip: ".to_owned(),
                _ => format!(
                    "POST /v3/types HTTP/1.1\r\nhost: x\r\nx-auth-token: {TOKEN}\r\ncontent-length: 9000\r\n\r\n"
                ),
            };
            while !stop.load(Ordering::Relaxed) {
                let Some(mut stream) = connect(&house).await else {
                    continue;
                };
                let mut sent = stream.write_all(head.as_bytes()).await;
                while sent.is_ok() && !stop.load(Ordering::Relaxed) {
                    tokio::time::sleep(Duration::from_millis(500)).await;
                    sent = stream.write_all(b"x").await;
                }
            }
        });
    }
    tokio::time::sleep(Duration::from_secs(2)).await;
    honest(&house, 50).await;
    stop.store(true, Ordering::Relaxed);
    crowd.join_all().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn five_hundred_wrong_tokens_a_second_are_slowed_down_and_the_right_one_is_not() {
    let house = Arc::new(house());
    let _host = house.runs().await;
    honest(&house, 1).await;
    let stop = Arc::new(AtomicBool::new(false));
    let counts = Arc::new([AtomicU64::new(0), AtomicU64::new(0)]);
    let mut guessers = JoinSet::new();
    for guesser in 0..10 {
        let (house, stop, counts) = (house.clone(), stop.clone(), counts.clone());
        guessers.spawn(async move {
            let client = reqwest::Client::new();
            let mut n = 0;
            while !stop.load(Ordering::Relaxed) {
                n += 1;
                let asked = client.get(format!("{}/v3/types", house.url()));
                let guess = format!("guess-{guesser}-{n}");
                if let Ok(answer) = asked.header("x-auth-token", guess).send().await {
                    let looked_at = match answer.status().as_u16() {
                        401 => 0,
                        429 => 1,
                        other => panic!("{other}"),
                    };
                    counts[looked_at].fetch_add(1, Ordering::Relaxed);
                }
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        });
    }
    let held = || counts[1].load(Ordering::Relaxed);
    while held() == 0 {
        honest(&house, 1).await;
    }
    honest(&house, 50).await;
    stop.store(true, Ordering::Relaxed);
    guessers.join_all().await;
    assert!(held() > 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_does_not_read_is_cut_off_after_its_time() {
    let house = House::new("", "[limits]\nwrite_timeout_seconds = 1");
    let _host = house.runs().await;
    let mut deaf = connect(&house).await.unwrap();
    let request = b"GET /openapi.json HTTP/1.1\r\nhost: 127.0.0.1\r\n\r\n".repeat(400);
    let ended = async {
        // More than any buffer on the way holds; writing fails once the host has hung up.
        while deaf.write_all(&request).await.is_ok() {}
    };
    tokio::time::timeout(WAITS, ended)
        .await
        .expect("it is still connected");
    let mut left = Vec::new();
    let _ = deaf.read_to_end(&mut left).await;
}
