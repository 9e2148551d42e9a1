//! One array: requests to it, its answers, and what its refusals mean.

use serde_json::Value;
use springform_sdk::fail::failure_on;
use springform_sdk::http::{Http, HttpError, Method, Request, Response};
use springform_sdk::types::{Failure, FailureCode, Target};

use crate::query::Query;

/// Key under which the host says which API version it negotiated.
pub const API_VERSION: &str = "springform/api-version";

/// Marks the failure of an array that answers and whose certificate the host does not accept.
const UNTRUSTED: &str = "springform/untrusted";

/// Whether a failure means that an array cannot be asked anything now: it does not answer, or it is not believed to be the
/// array. What has another array to go on with goes on.
#[must_use]
pub fn is_away(failure: &Failure) -> bool {
    failure.code == FailureCode::Unavailable
        || failure.extensions.iter().any(|(key, _)| key == UNTRUSTED)
}

/// Spoken when nobody said otherwise; every array from Purity 6.4 on knows it.
const FALLBACK_VERSION: &str = "2.26";

/// Items of a page of a list that may be very long: of a thousand volumes an array says about a megabyte.
const PAGE: &str = "1000";

/// Why a request did not do what was asked.
#[derive(Debug, Clone, PartialEq)]
pub enum ArrayError {
    /// The array said no to this request (400, 404, 409, 422). Why is found by reading back.
    Refused {
        /// On which target.
        target: String,
        /// The array's words, for the log only.
        words: String,
    },
    /// Anything else: unreachable, overloaded, credential, garbage.
    Failed(Failure),
}

impl ArrayError {
    /// As a failure, with a sentence of ours for a refusal.
    #[must_use]
    pub fn into_failure(self, code: FailureCode, sentence: &str) -> Failure {
        match self {
            Self::Refused { target, words } => Failure {
                detail: Some(words),
                ..failure_on(&target, code, sentence)
            },
            Self::Failed(failure) => failure,
        }
    }
}

/// How the body of an answer is read.
type Read = fn(&[u8]) -> Option<Value>;

/// Answer of a request.
pub type Answer<T> = Result<T, ArrayError>;

#[derive(Default)]
struct Page {
    items: Vec<Value>,
    more_items_remaining: bool,
    continuation_token: Option<String>,
}

impl Page {
    /// Read by hand: derived readers are code for each record that has one.
    fn of(mut answer: Value) -> Self {
        let more_items_remaining = flag(&answer, "/more_items_remaining");
        let continuation_token = text(&answer, "/continuation_token").map(str::to_owned);
        let items = match answer.get_mut("items").map(Value::take) {
            Some(Value::Array(items)) => items,
            _ => Vec::new(),
        };
        Self {
            items,
            more_items_remaining,
            continuation_token,
        }
    }
}

/// One array, addressed by its configured name.
#[derive(Clone, Copy)]
pub struct Array<'a> {
    pub(crate) http: &'a dyn Http,
    pub(crate) target: &'a Target,
    pub(crate) state: &'a [u8],
}

impl<'a> Array<'a> {
    /// What the array calls itself, as far as set-up has learned it: arrays know each other by these names, and a dead
    /// array cannot be asked for its own.
    #[must_use]
    pub fn known_name(&self) -> Option<String> {
        crate::state::name_of(self.state, self.name())
    }

    /// Configured name.
    #[must_use]
    pub fn name(&self) -> &'a str {
        &self.target.name
    }

    /// The configured target.
    #[must_use]
    pub fn target(&self) -> &'a Target {
        self.target
    }

    /// A request, not sent yet.
    #[must_use]
    pub fn request(
        &self,
        method: Method,
        path: &str,
        query: &Query,
        body: Option<&Value>,
    ) -> Request {
        let version = self
            .target
            .extensions
            .iter()
            .find(|(key, _)| key == API_VERSION)
            .map_or(FALLBACK_VERSION, |(_, v)| v);
        Request {
            target: self.target.name.clone(),
            method,
            path: query.behind(&format!("/api/{version}{path}")),
            body: body.map(crate::json::bytes),
        }
    }

    /// Sends one request; returns the items of its answer.
    ///
    /// # Errors
    /// See [`ArrayError`].
    pub fn send(
        &self,
        method: Method,
        path: &str,
        query: &Query,
        body: Option<&Value>,
    ) -> Answer<Vec<Value>> {
        let request = self.request(method, path, query, body);
        self.understand(self.http.send(request), crate::json::value)
            .map(|page| page.items)
    }

    /// Reads every page of a list.
    ///
    /// # Errors
    /// See [`ArrayError`].
    pub fn list(&self, path: &str, query: &Query) -> Answer<Vec<Value>> {
        self.pages(path, query, crate::json::value)
    }

    /// Reads every page of a list, of which nothing but the names matter: a long one is read several times faster.
    ///
    /// # Errors
    /// See [`ArrayError`].
    pub fn names(&self, path: &str, query: &Query) -> Answer<Vec<String>> {
        let found = self.sizes(path, query)?;
        Ok(found.into_iter().map(|(name, _)| name).collect())
    }

    /// The same with what was provisioned for each, where the array tells.
    ///
    /// # Errors
    /// See [`ArrayError`].
    pub fn sizes(&self, path: &str, query: &Query) -> Answer<Vec<(String, Option<u64>)>> {
        let found = self.pages(path, query, crate::json::names)?;
        let item = |item: &Value| {
            let name = text(item, "/name")?.to_owned();
            Some((name, number(item, "/provisioned")))
        };
        Ok(found.iter().filter_map(item).collect())
    }

    fn pages(&self, path: &str, query: &Query, read: Read) -> Answer<Vec<Value>> {
        let mut items = Vec::new();
        self.each_page(path, query, read, &mut |page| items.extend(page))?;
        Ok(items)
    }

    /// Hands on every item of a list that may be as long as the array is large, and never holds more than a page of it.
    ///
    /// # Errors
    /// See [`ArrayError`].
    pub fn each(&self, path: &str, query: &Query, take: &mut dyn FnMut(Value)) -> Answer<()> {
        let query = query.clone().one("limit", PAGE);
        let mut all = |page: Vec<Value>| page.into_iter().for_each(&mut *take);
        self.each_page(path, &query, crate::json::value, &mut all)
    }

    fn each_page(
        &self,
        path: &str,
        query: &Query,
        read: Read,
        take: &mut dyn FnMut(Vec<Value>),
    ) -> Answer<()> {
        let mut next = query.clone();
        let mut read_so_far = 0;
        loop {
            let request = self.request(Method::Get, path, &next, None);
            let page = self.understand(self.http.send(request), read)?;
            let got = page.items.len();
            read_so_far += got;
            take(page.items);
            if !page.more_items_remaining || got == 0 {
                return Ok(());
            }
            next = match &page.continuation_token {
                Some(token) => query.clone().one("continuation_token", token),
                None => query.clone().one("offset", &read_so_far.to_string()),
            };
        }
    }

    /// Reads a list; nothing of that name is an empty list.
    ///
    /// # Errors
    /// Only [`ArrayError::Failed`].
    pub fn find(&self, path: &str, query: &Query) -> Answer<Vec<Value>> {
        match self.list(path, query) {
            Err(ArrayError::Refused { .. }) => Ok(Vec::new()),
            other => other,
        }
    }

    /// Sends requests several at a time; the answers are in order.
    pub fn send_all(&self, requests: Vec<Request>) -> Vec<Answer<Vec<Value>>> {
        self.http
            .send_all(requests)
            .into_iter()
            .map(|answer| self.understand(answer, crate::json::value))
            .map(|answer| answer.map(|page| page.items))
            .collect()
    }

    fn understand(&self, answer: Result<Response, HttpError>, read: Read) -> Answer<Page> {
        let response = answer.map_err(|error| ArrayError::Failed(self.no_answer(error)))?;
        match response.status {
            200..=299 if response.body.iter().all(u8::is_ascii_whitespace) => Ok(Page::default()),
            200..=299 => match read(&response.body) {
                Some(answer @ Value::Object(_)) => Ok(Page::of(answer)),
                _ => Err(ArrayError::Failed(failure_on(
                    self.name(),
                    FailureCode::Protocol,
                    "the array's answer is not the JSON of a FlashArray",
                ))),
            },
            400 | 404 | 409 | 422 => Err(ArrayError::Refused {
                target: self.name().to_owned(),
                words: words(&response),
            }),
            status => Err(ArrayError::Failed(self.unusable(status, &response))),
        }
    }

    fn no_answer(&self, error: HttpError) -> Failure {
        let code = match error {
            HttpError::Denied | HttpError::Untrusted => FailureCode::Denied,
            HttpError::Timeout | HttpError::Unreachable => FailureCode::Unavailable,
            HttpError::Garbled => FailureCode::Protocol,
        };
        let mut failure = failure_on(self.name(), code, error.to_string());
        if error == HttpError::Untrusted {
            failure
                .extensions
                .push((UNTRUSTED.to_owned(), String::new()));
        }
        failure
    }

    fn unusable(&self, status: u16, response: &Response) -> Failure {
        let (code, sentence) = match status {
            401 | 403 => (
                FailureCode::Denied,
                "the array refused the credential or its permissions",
            ),
            429 => (FailureCode::Busy, "the array has too much to do"),
            500..=599 => (
                FailureCode::Unavailable,
                "the array answered with a fault of its own",
            ),
            _ => (
                FailureCode::Protocol,
                "the array answered with a status that its API does not have",
            ),
        };
        Failure {
            detail: Some(format!("status {status}: {}", words(response))),
            ..failure_on(self.name(), code, sentence)
        }
    }
}

/// The array's words, shortened, for a log.
fn words(response: &Response) -> String {
    let body = crate::json::value(&response.body);
    let error = body.as_ref().and_then(|b| b.pointer("/errors/0"));
    let part = |key: &str| {
        error
            .and_then(|e| e.get(key))
            .and_then(Value::as_str)
            .unwrap_or_default()
    };
    let text = match error {
        Some(_) => format!("{}: {}", part("context"), part("message")),
        None => String::from_utf8_lossy(&response.body).into_owned(),
    };
    text.chars().take(300).collect()
}

/// A text field of an item.
#[must_use]
pub fn text<'v>(item: &'v Value, pointer: &str) -> Option<&'v str> {
    item.pointer(pointer).and_then(Value::as_str)
}

/// A number field of an item.
#[must_use]
pub fn number(item: &Value, pointer: &str) -> Option<u64> {
    item.pointer(pointer).and_then(Value::as_u64)
}

/// A truth field of an item; absent is false.
#[must_use]
pub fn flag(item: &Value, pointer: &str) -> bool {
    item.pointer(pointer)
        .and_then(Value::as_bool)
        .unwrap_or(false)
}
