//! Crowds of clients that mean no good, beside one that does: it is served all the time, at nearly the rate it has alone.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};
use tokio::process::Child;
use tokio::task::JoinSet;
use tokio::time::Instant;

use crate::house::{House, PATIENCE, TOKEN};

/// What an honest client waits for an answer.
const WAITS: Duration = Duration::from_secs(60);
/// Connections that never read, and those that drip: more than the host has places for.
const DEAF: usize = 5_000;
const DRIPPING: usize = 2_000;
const PLACES: usize = 1_500;
/// Files of this process that are no connections of a crowd.
const OTHER_FILES: u64 = 500;
/// Rounds of an honest client in which its cost is measured.
const ROUNDS: usize = 500;
/// Turns in which a host alone and one beside a crowd are asked that often.
const TURNS: usize = 10;
/// What honest clients keep of their rate.
const KEPT: f64 = 0.8;

fn house() -> House {
    House::new(
        "",
        &format!(
            "[auth]\nmode = \"tokens\"\ntokens_file = \"tokens.toml\"\n[limits]\nconnections = {PLACES}"
        ),
    )
}

/// As many of a crowd as this process may have connections for.
fn as_many_as_may_be(wanted: usize) -> usize {
    let most = getrlimit(Resource::Nofile).maximum;
    let raised = Rlimit {
        current: most,
        maximum: most,
    };
    setrlimit(Resource::Nofile, raised).unwrap();
    let files = most.map_or(wanted as u64, |most| most.saturating_sub(OTHER_FILES));
    wanted.min(usize::try_from(files).unwrap())
}

/// Seconds that the host has computed.
fn computed(host: &Child) -> f64 {
    let pid = host.id().unwrap();
    let text = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
    // The name may have spaces in it; times are in hundredths of a second.
    let (_, fields) = text.rsplit_once(") ").unwrap();
    let ticks = fields.split(' ').skip(11).take(2);
    let ticks = ticks.map(|ticks| ticks.parse::<f64>().unwrap());
    ticks.sum::<f64>() / 100.0
}

/// The share of their rate that honest clients keep beside a crowd.
///
/// A rate by the clock says more of what else the machine does. So: a request costs so many seconds of computing, and the crowd
/// takes a share of the cores for itself; the rest of them over the cost is the rate. A busy machine makes each second of
/// computing dearer too, so a host without a crowd is asked in turns with the one that has it.
struct Rate {
    alone: (House, Child),
}

impl Rate {
    async fn of_a_host_alone() -> Self {
        let alone = house();
        let host = alone.runs().await;
        honest(&alone, 20).await;
        Self {
            alone: (alone, host),
        }
    }

    /// The best of a few looks: a crowd that takes more takes it each time, and what else the machine does not.
    async fn kept(&self, house: &House, host: &Child) -> f64 {
        let mut best = 0.0_f64;
        for _ in 0..3 {
            best = best.max(self.looked_at(house, host).await);
            if best >= KEPT {
                break;
            }
        }
        best
    }

    async fn looked_at(&self, house: &House, host: &Child) -> f64 {
        let (before, begun) = (computed(host), Instant::now());
        tokio::time::sleep(Duration::from_secs(2)).await;
        let crowd = (computed(host) - before) / begun.elapsed().as_secs_f64();
        let (mut alone, mut beside) = (0.0, 0.0);
        for _ in 0..TURNS {
            let before = computed(&self.alone.1);
            honest(&self.alone.0, ROUNDS / TURNS).await;
            alone += computed(&self.alone.1) - before;
            let (before, begun) = (computed(host), Instant::now());
            honest(house, ROUNDS / TURNS).await;
            beside += computed(host) - before - crowd * begun.elapsed().as_secs_f64();
        }
        let beside = beside.max(0.001);
        let cores = std::thread::available_parallelism().unwrap().get() as f64;
        let kept = (cores - crowd) / cores * (alone / beside).min(1.0);
        eprintln!(
            "alone {alone:.3} s, beside {beside:.3} s, the crowd {crowd:.3} of {cores} cores: {kept:.2} kept"
        );
        kept
    }
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
    let host = house.runs().await;
    let rate = Rate::of_a_host_alone().await;
    let crowd = as_many_as_may_be(DEAF);
    let mut deaf = Vec::new();
    let request = b"GET /openapi.json HTTP/1.1\r\nhost: x\r\n\r\n".repeat(20);
    for n in 0..crowd {
        if let Some(mut stream) = connect(&house).await {
            let _ = stream.write_all(&request).await;
            deaf.push(stream);
        }
        if n % 250 == 0 {
            honest(&house, 1).await;
        }
    }
    assert!(deaf.len() > crowd / 2, "only {} came in", deaf.len());
    let kept = rate.kept(&house, &host).await;
    assert!(kept >= KEPT, "{kept}");
}

#[tokio::test(flavor = "multi_thread")]
async fn clients_that_drip_keep_nobody_out() {
    let house = Arc::new(house());
    let host = house.runs().await;
    let rate = Rate::of_a_host_alone().await;
    let stop = Arc::new(AtomicBool::new(false));
    let dripped = Arc::new(AtomicU64::new(0));
    let mut crowd = JoinSet::new();
    for n in 0..as_many_as_may_be(DRIPPING) {
        let (house, stop, dripped) = (house.clone(), stop.clone(), dripped.clone());
        crowd.spawn(async move {
            // Heads that do not end, and bodies that do not come.
            let head = match n % 2 {
                0 => "GET /v3/types HTTP/1.1\r\nhost: x\r\nx-drip: ".to_owned(),
                _ => format!(
                    "POST /v3/types HTTP/1.1\r\nhost: x\r\nx-auth-token: {TOKEN}\r\ncontent-length: 9000\r\n\r\n"
                ),
            };
            while !stop.load(Ordering::Relaxed) {
                if let Some(mut stream) = connect(&house).await {
                    let mut sent = stream.write_all(head.as_bytes()).await;
                    while sent.is_ok() && !stop.load(Ordering::Relaxed) {
                        tokio::time::sleep(Duration::from_millis(500)).await;
                        sent = stream.write_all(b"x").await;
                        dripped.fetch_add(1, Ordering::Relaxed);
                    }
                }
                // Whoever was thrown out does not come back at once: a crowd that does is one of many short connections.
                tokio::time::sleep(Duration::from_secs(1)).await;
            }
        });
    }
    let until = Instant::now() + PATIENCE;
    while dripped.load(Ordering::Relaxed) < DRIPPING as u64 {
        assert!(Instant::now() < until, "they never dripped");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let kept = rate.kept(&house, &host).await;
    stop.store(true, Ordering::Relaxed);
    crowd.join_all().await;
    assert!(kept >= KEPT, "{kept}");
}

#[tokio::test(flavor = "multi_thread")]
async fn five_hundred_wrong_tokens_a_second_are_slowed_down_and_the_right_one_is_not() {
    let house = Arc::new(house());
    let host = house.runs().await;
    let rate = Rate::of_a_host_alone().await;
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
    let kept = rate.kept(&house, &host).await;
    stop.store(true, Ordering::Relaxed);
    guessers.join_all().await;
    assert!(held() > 0);
    assert!(kept >= KEPT, "{kept}");
}

#[tokio::test(flavor = "multi_thread")]
async fn guesses_of_a_services_token_beside_a_good_token_are_slowed_down_too() {
    let house = house();
    let _host = house.runs().await;
    let client = reqwest::Client::new();
    let ask = async |service: &str| {
        let asked = client.get(format!("{}/v3/types", house.url()));
        let asked = asked.header("x-auth-token", TOKEN);
        let answer = asked.header("x-service-token", service).send().await;
        answer.unwrap().status().as_u16()
    };
    // A token that was good goes on being looked at; that of a service counts as one.
    assert_eq!(ask(TOKEN).await, 200);
    let mut guesses = 0;
    while ask(&format!("guess-{guesses}")).await == 200 {
        guesses += 1;
        assert!(guesses < 20_000, "never held");
    }
    assert_eq!(ask(TOKEN).await, 200);
    honest(&house, 1).await;
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
