//! [`Http`] over `wasi:http/outgoing-handler`: what a driver uses inside the sandbox.

use wasip2::http::outgoing_handler::{FutureIncomingResponse, handle};
use wasip2::http::types::{
    ErrorCode, Fields, IncomingBody, IncomingResponse, Method as WasiMethod, OutgoingBody,
    OutgoingRequest, Scheme,
};
use wasip2::io::poll::poll;
use wasip2::io::streams::StreamError;

use crate::flight::take;
use crate::http::{Http, HttpError, Method, Request, Response};

/// How many requests of one call are in flight at the same time; the host's own limit is higher.
const IN_FLIGHT: usize = 16;

/// How much of a body is read at a time.
const CHUNK: u64 = 64 * 1024;

/// The sandbox's way to the arrays.
#[derive(Debug, Clone, Copy, Default)]
pub struct WasiHttp;

impl Http for WasiHttp {
    fn send(&self, request: Request) -> Result<Response, HttpError> {
        let future = start(&request)?;
        future.subscribe().block();
        finish(&future)
    }

    fn send_all(&self, requests: Vec<Request>) -> Vec<Result<Response, HttpError>> {
        let mut answers: Vec<Option<Result<Response, HttpError>>> =
            requests.iter().map(|_| None).collect();
        let mut waiting = requests.into_iter().enumerate();
        let mut flying: Vec<(usize, FutureIncomingResponse)> = Vec::new();
        loop {
            while flying.len() < IN_FLIGHT {
                let Some((index, request)) = waiting.next() else {
                    break;
                };
                match start(&request) {
                    Ok(future) => flying.push((index, future)),
                    Err(error) => put(&mut answers, index, Err(error)),
                }
            }
            if flying.is_empty() {
                break;
            }
            let ready = {
                let pollables: Vec<_> = flying
                    .iter()
                    .map(|(_, future)| future.subscribe())
                    .collect();
                poll(&pollables.iter().collect::<Vec<_>>())
            };
            for (index, future) in take(&mut flying, &ready) {
                put(&mut answers, index, finish(&future));
            }
        }
        answers
            .into_iter()
            .map(|answer| answer.unwrap_or(Err(HttpError::Unreachable)))
            .collect()
    }
}

fn put(
    answers: &mut [Option<Result<Response, HttpError>>],
    index: usize,
    answer: Result<Response, HttpError>,
) {
    if let Some(slot) = answers.get_mut(index) {
        *slot = Some(answer);
    }
}

fn start(request: &Request) -> Result<FutureIncomingResponse, HttpError> {
    let headers = Fields::new();
    let text = |value: &str| value.as_bytes().to_vec();
    headers
        .append("accept", &text("application/json"))
        .map_err(|_| HttpError::Denied)?;
    if let Some(body) = &request.body {
        headers
            .append("content-type", &text("application/json"))
            .map_err(|_| HttpError::Denied)?;
        headers
            .append("content-length", &text(&body.len().to_string()))
            .map_err(|_| HttpError::Denied)?;
    }
    let outgoing = OutgoingRequest::new(headers);
    let method = match request.method {
        Method::Get => WasiMethod::Get,
        Method::Post => WasiMethod::Post,
        Method::Put => WasiMethod::Put,
        Method::Patch => WasiMethod::Patch,
        Method::Delete => WasiMethod::Delete,
    };
    outgoing
        .set_method(&method)
        .map_err(|()| HttpError::Denied)?;
    outgoing
        .set_scheme(Some(&Scheme::Https))
        .map_err(|()| HttpError::Denied)?;
    outgoing
        .set_authority(Some(&request.target))
        .map_err(|()| HttpError::Denied)?;
    outgoing
        .set_path_with_query(Some(&request.path))
        .map_err(|()| HttpError::Denied)?;
    let body = outgoing.body().map_err(|()| HttpError::Denied)?;
    let future = handle(outgoing, None).map_err(|code| error(&code))?;
    if let Some(bytes) = &request.body {
        write(&body, bytes)?;
    }
    OutgoingBody::finish(body, None).map_err(|code| error(&code))?;
    Ok(future)
}

fn write(body: &OutgoingBody, bytes: &[u8]) -> Result<(), HttpError> {
    let stream = body.write().map_err(|()| HttpError::Denied)?;
    // The contract of `blocking-write-and-flush` is at most 4,096 bytes at a time.
    for chunk in bytes.chunks(4096) {
        stream
            .blocking_write_and_flush(chunk)
            .map_err(|_| HttpError::Unreachable)?;
    }
    Ok(())
}

fn finish(future: &FutureIncomingResponse) -> Result<Response, HttpError> {
    match future.get() {
        Some(Ok(Ok(response))) => read(&response),
        Some(Ok(Err(code))) => Err(error(&code)),
        Some(Err(())) | None => Err(HttpError::Unreachable),
    }
}

fn read(response: &IncomingResponse) -> Result<Response, HttpError> {
    let status = response.status();
    let retry_after = response
        .headers()
        .get("retry-after")
        .first()
        .and_then(|value| core::str::from_utf8(value).ok())
        .and_then(|value| value.trim().parse().ok());
    let incoming = response.consume().map_err(|()| HttpError::Garbled)?;
    let stream = incoming.stream().map_err(|()| HttpError::Garbled)?;
    let mut body = Vec::new();
    loop {
        match stream.blocking_read(CHUNK) {
            Ok(chunk) => body.extend_from_slice(&chunk),
            Err(StreamError::Closed) => break,
            Err(StreamError::LastOperationFailed(_)) => return Err(HttpError::Unreachable),
        }
    }
    drop(stream);
    drop(IncomingBody::finish(incoming));
    Ok(Response {
        status,
        retry_after,
        body,
    })
}

fn error(code: &ErrorCode) -> HttpError {
    match code {
        ErrorCode::HttpRequestDenied
        | ErrorCode::HttpRequestUriInvalid
        | ErrorCode::DestinationNotFound => HttpError::Denied,
        ErrorCode::TlsCertificateError
        | ErrorCode::TlsProtocolError
        | ErrorCode::TlsAlertReceived(_) => HttpError::Untrusted,
        ErrorCode::ConnectionTimeout
        | ErrorCode::ConnectionReadTimeout
        | ErrorCode::HttpResponseTimeout => HttpError::Timeout,
        ErrorCode::HttpResponseBodySize(_)
        | ErrorCode::HttpResponseIncomplete
        | ErrorCode::HttpProtocolError => HttpError::Garbled,
        _ => HttpError::Unreachable,
    }
}
