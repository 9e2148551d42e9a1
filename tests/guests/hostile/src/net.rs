//! Requests over plain `wasi:http`, as any language's library would make them.

use guest_kit::types::Error;
use wasip2::http::outgoing_handler::handle;
use wasip2::http::types::{ErrorCode, Fields, FutureIncomingResponse, Method, OutgoingBody, OutgoingRequest, Scheme};

/// A response as far as the tests look at it.
pub struct Answer {
    pub status: u16,
    headers: Vec<(String, String)>,
    body: Vec<u8>,
}

/// Why there is none.
pub enum Refusal {
    Header,
    Http(ErrorCode),
}

/// One request; `header` is `name: value`.
pub fn send(method: &str, url: &str, header: Option<&str>) -> Result<Answer, Refusal> {
    let pending = start(method, url, header)?;
    pending.subscribe().block();
    let response = pending.get().expect("ready").expect("taken once").map_err(Refusal::Http)?;
    let mut headers: Vec<(String, String)> = response
        .headers()
        .entries()
        .into_iter()
        .map(|(name, value)| (name, String::from_utf8_lossy(&value).into_owned()))
        .collect();
    headers.sort();
    let incoming = response.consume().expect("consumed once");
    let stream = incoming.stream().expect("taken once");
    let mut body = Vec::new();
    while let Ok(chunk) = stream.blocking_read(1 << 16) {
        body.extend(chunk);
    }
    Ok(Answer { status: response.status(), headers, body })
}

fn start(method: &str, url: &str, header: Option<&str>) -> Result<FutureIncomingResponse, Refusal> {
    let (scheme, rest) = url.split_once("://").expect("a URL");
    let (authority, path) = rest.split_once('/').unwrap_or((rest, ""));
    let fields = Fields::new();
    if let Some((name, value)) = header.and_then(|h| h.split_once(": ")) {
        fields.append(name, value.as_bytes()).map_err(|_| Refusal::Header)?;
    }
    let request = OutgoingRequest::new(fields);
    let method = match method {
        "GET" => Method::Get,
        "POST" => Method::Post,
        other => Method::Other(other.to_owned()),
    };
    let scheme = if scheme == "https" { Scheme::Https } else { Scheme::Other(scheme.to_owned()) };
    request.set_method(&method).expect("a method");
    request.set_scheme(Some(&scheme)).expect("a scheme");
    request.set_authority(Some(authority)).expect("an authority");
    request.set_path_with_query(Some(&format!("/{path}"))).expect("a path");
    handle(request, None).map_err(Refusal::Http)
}

/// What came of it, as pairs.
pub fn report(result: Result<Answer, Refusal>) -> Vec<(String, String)> {
    let pair = |key: &str, value: String| (key.to_owned(), value);
    match result {
        Ok(answer) => {
            let mut pairs = vec![
                pair("status", answer.status.to_string()),
                pair("length", answer.body.len().to_string()),
                pair("body", String::from_utf8_lossy(&answer.body).chars().take(200).collect()),
            ];
            pairs.extend(answer.headers);
            pairs
        }
        Err(Refusal::Header) => vec![pair("error", "header forbidden".to_owned())],
        Err(Refusal::Http(code)) => vec![pair("error", format!("{code:?}"))],
    }
}

/// One request after the other until one is refused, which it must be.
pub fn many(url: &str) -> Result<(), Error> {
    for made in 0..10_000 {
        if send("GET", url, None).is_err() {
            println!("refused after {made} requests");
            return Ok(());
        }
    }
    panic!("nobody refused");
}

/// Requests that are started and never looked at.
pub fn hoard(url: &str) -> Result<(), Error> {
    let held: Vec<_> = (0..100).filter_map(|_| start("GET", url, None).ok()).collect();
    let refused = held
        .iter()
        .filter(|pending| pending.subscribe().ready() && matches!(pending.get(), Some(Ok(Err(ErrorCode::HttpRequestDenied)))))
        .count();
    println!("{refused} of {} refused", held.len());
    Ok(())
}

/// Answers that are never read, until one is refused, which it must be: the host holds each of them.
pub fn hoard_answers(url: &str) -> Result<(), Error> {
    let mut held = Vec::new();
    for _ in 0..1000 {
        let Ok(pending) = start("GET", url, None) else {
            panic!("the request itself may leave");
        };
        pending.subscribe().block();
        match pending.get().expect("ready").expect("taken once") {
            Ok(answer) => held.push(answer),
            Err(code) => {
                println!("refused after {} answers: {code:?}", held.len());
                return Ok(());
            }
        }
    }
    panic!("nobody refused");
}

/// A request whose body never ends, until it is refused, which it must be: the host would have to hold it.
pub fn upload(url: &str) -> Result<(), Error> {
    let (_, rest) = url.split_once("://").expect("a URL");
    let (authority, path) = rest.split_once('/').unwrap_or((rest, ""));
    let request = OutgoingRequest::new(Fields::new());
    request.set_method(&Method::Post).expect("a method");
    request.set_scheme(Some(&Scheme::Https)).expect("a scheme");
    request.set_authority(Some(authority)).expect("an authority");
    request.set_path_with_query(Some(&format!("/{path}"))).expect("a path");
    let body = request.body().expect("taken once");
    let pending = handle(request, None).expect("the request may leave");
    let stream = body.write().expect("taken once");
    let chunk = [b'x'; 4096];
    let written = (0..100_000).take_while(|_| stream.blocking_write_and_flush(&chunk).is_ok()).count();
    drop(stream);
    let _ = OutgoingBody::finish(body, None);
    pending.subscribe().block();
    match pending.get().expect("ready").expect("taken once") {
        Ok(_) => panic!("nobody refused a body of {written} pages"),
        Err(code) => println!("refused after {written} pages: {code:?}"),
    }
    Ok(())
}
