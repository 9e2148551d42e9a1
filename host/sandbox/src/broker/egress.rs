//! The hook that `wasi:http` calls for each request of a guest.

use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use http::{Request, Response, uri::Scheme};
use http_body_util::BodyExt;
use springform_model::audit::{Action, Entry, Kind, Occurrence, Outcome, Subject, Who};
use springform_model::time::Timestamp;
use tokio::sync::Semaphore;
use tokio::time::Instant;
use wasmtime_wasi_http::{Error, ForbiddenHeaderFilter, RequestOptions, WasiBody, WasiHttpHooks};

use super::decide::{Denial, Quota, decide};
use super::denials::Denials;
use super::exchange::Exchange;
use super::{Broker, Target, headers};
use crate::account::{Account, BodyError, PaidBody};
use crate::limits::Limits;

type Io = Box<dyn Future<Output = Result<(), Error>> + Send>;
type Sent = Result<(Response<WasiBody>, Io), Error>;

/// One call's way out.
pub struct CallEgress {
    broker: Arc<Broker>,
    limits: Arc<Limits>,
    operation: String,
    verb: &'static str,
    read_only: bool,
    deadline: Instant,
    made: usize,
    open: Arc<Semaphore>,
    account: Account,
    asked: Arc<AtomicBool>,
    denials: Denials,
}

impl CallEgress {
    /// A call's way out, with nothing sent yet. `asked` is set with the first request that leaves.
    #[must_use]
    pub fn new(
        broker: Arc<Broker>,
        limits: Arc<Limits>,
        operation: String,
        verb: &'static str,
        read_only: bool,
        deadline: Instant,
        asked: Arc<AtomicBool>,
    ) -> Self {
        Self {
            open: Arc::new(Semaphore::new(limits.open_requests)),
            asked,
            account: Account::new(limits.held_bytes),
            broker,
            limits,
            operation,
            verb,
            read_only,
            deadline,
            made: 0,
            denials: Denials::default(),
        }
    }

    /// What is denied to it, while it goes on.
    #[must_use]
    pub fn denials(&self) -> Denials {
        self.denials.clone()
    }

    fn admit(
        &mut self,
        request: &Request<WasiBody>,
    ) -> Result<(Arc<Target>, tokio::sync::OwnedSemaphorePermit), Denial> {
        let quota = Quota {
            made: self.made,
            limit: self.limits.requests,
        };
        let target = decide(
            &self.broker,
            request.method(),
            request.uri(),
            self.verb,
            self.read_only,
            quota,
        )?;
        let slot = self
            .open
            .clone()
            .try_acquire_owned()
            .map_err(|_| Denial::OpenRequests(self.limits.open_requests))?;
        self.made += 1;
        self.asked.store(true, Ordering::Relaxed);
        Ok((target, slot))
    }

    fn audit(&self, request: &Request<WasiBody>, denial: &Denial) {
        self.denials.note(denial);
        self.broker.denied.fetch_add(1, Ordering::Relaxed);
        tracing::warn!(
            target: "audit",
            event = "egress-denied", driver = %self.broker.driver, backend = %self.broker.backend, operation = %self.operation, verb = self.verb,
            method = %request.method(), path = request.uri().path(), allow_with = %denial.remedy(),
            "request of a driver denied: {denial}"
        );
        let Some(audit) = &self.broker.audit else {
            return;
        };
        let on = Subject {
            backend: Some(self.broker.backend.clone()),
            driver: Some(self.broker.driver.clone()),
            operation: Some(self.operation.clone()),
            ..Subject::default()
        };
        let who = Who::of(Kind::Driver);
        let entry = Entry::new(Timestamp::now(), who, Action::CallDenied, Outcome::Denied).on(on);
        audit.note(Occurrence {
            // Paths have the names of volumes in them: those that one call asks for are of one kind.
            key: format!(
                "{} {} {}",
                self.broker.driver, self.broker.backend, self.verb
            ),
            entry: entry
                .because(denial.to_string())
                .with("call", self.verb)
                .with("method", request.method())
                .with("path", request.uri().path())
                .with("allow-with", denial.remedy()),
        });
    }
}

/// The network as a guest has it: through the broker, or not at all.
pub struct Egress(Option<CallEgress>);

impl Egress {
    /// No request may leave.
    #[must_use]
    pub fn denied() -> Self {
        Self(None)
    }

    /// Requests leave through the broker.
    #[must_use]
    pub fn allowed(egress: CallEgress) -> Self {
        Self(Some(egress))
    }
}

impl WasiHttpHooks for Egress {
    fn forbidden_header_filter(&mut self) -> ForbiddenHeaderFilter {
        headers::guest_filter()
    }

    fn is_supported_scheme(&mut self, _: &Scheme) -> bool {
        // Denied in `decide`, so that it is audited.
        true
    }

    fn set_host_header(&mut self) -> bool {
        false
    }

    fn send_request(
        &mut self,
        request: Request<WasiBody>,
        options: Option<RequestOptions>,
        _done: Io,
    ) -> Box<dyn Future<Output = Sent> + Send> {
        let Some(egress) = &mut self.0 else {
            tracing::warn!(target: "audit", event = "egress-denied", "request of a driver denied: {}", Denial::NoNetwork);
            return Box::new(async { Err(Error::HttpRequestDenied) });
        };
        let (target, slot) = match egress.admit(&request) {
            Ok(admitted) => admitted,
            Err(denial) => {
                egress.audit(&request, &denial);
                return Box::new(async { Err(Error::HttpRequestDenied) });
            }
        };
        let (limits, account) = (egress.limits.clone(), egress.account.clone());
        let asked = options
            .and_then(|o| o.first_byte_timeout)
            .unwrap_or(target.request_timeout());
        let deadline = egress
            .deadline
            .min(Instant::now() + asked.min(target.request_timeout()));
        Box::new(async move {
            let response =
                tokio::time::timeout_at(deadline, send(&target, request, &limits, account))
                    .await
                    .unwrap_or_else(|_| {
                        target.missed();
                        Err(Error::HttpResponseTimeout)
                    })?;
            drop(slot);
            let body = response.map(|body| body.map_err(|never| match never {}).boxed_unsync());
            Ok((body, Box::new(async { Ok(()) }) as Io))
        })
    }
}

/// Bodies are taken whole: a request can then be repeated after a new login, and an array that drips its answer is under
/// the same deadline as one that says nothing.
async fn send(
    target: &Target,
    request: Request<WasiBody>,
    limits: &Limits,
    account: Account,
) -> Result<Response<PaidBody>, Error> {
    let (parts, body) = request.into_parts();
    let limit = limits.request_body_bytes;
    let (body, _held) = account
        .collect(body, limit)
        .await
        .map_err(|error| match error {
            BodyError::TooLarge => Error::HttpRequestBodySize(Some(limit as u64)),
            BodyError::Broken(error) => error,
        })?;
    let path = parts.uri.path_and_query().map_or("/", |p| p.as_str());
    let mut exchange = Exchange::new(parts.method, path, parts.headers, body)?;
    exchange.max_response = limits.response_body_bytes;
    exchange.account = account;
    headers::clean_request(&mut exchange.headers);
    let mut response = target.exchange(exchange).await?;
    headers::clean_response(response.headers_mut(), target.credential_header());
    Ok(response)
}
