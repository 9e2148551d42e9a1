//! Takes secrets out of what an array sends back. Arrays echo: error pages quote the request, TRACE returns it, a debug header
//! repeats the token. A driver must not learn its credential that way either.

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD, URL_SAFE_NO_PAD};
use bytes::{Bytes, BytesMut};
use http::{HeaderMap, HeaderValue};
use memchr::memmem;
use zeroize::Zeroizing;

use crate::account::PaidBody;

/// Shorter secrets are not looked for: they would be found everywhere.
const SHORTEST: usize = 6;
const MASK: u8 = b'*';

/// One secret in every form in which an answer may repeat it. The forms are wiped when the mask is dropped; a searcher that
/// is kept for each would hold a copy that is not.
#[derive(Clone)]
pub struct Mask(Arc<[Form]>);

/// One of them.
type Form = Zeroizing<Vec<u8>>;

impl Mask {
    /// A mask of one secret; of a pair `user:password` also of the password alone.
    #[must_use]
    pub fn of(secret: &[u8]) -> Self {
        let mut forms = Vec::new();
        add_forms(&mut forms, secret);
        if let Some(at) = secret.iter().position(|byte| *byte == b':') {
            add_forms(&mut forms, secret.get(at + 1..).unwrap_or_default());
        }
        // Longest first: a form that holds another is masked whole. Equal ones stand beside each other.
        forms.sort_by(|one, other| {
            let longer = other.len().cmp(&one.len());
            longer.then_with(|| one.as_slice().cmp(other.as_slice()))
        });
        forms.dedup();
        Self(forms.into())
    }

    /// The body with every occurrence replaced by as many asterisks, so that lengths and offsets stay.
    #[must_use]
    pub fn body(&self, body: PaidBody) -> PaidBody {
        if !self.is_in(body.bytes()) {
            return body;
        }
        body.map(|bytes| Bytes::from(self.masked(&bytes)))
    }

    /// The headers with every occurrence masked.
    pub fn headers(&self, headers: &mut HeaderMap) {
        for value in headers.values_mut() {
            if self.is_in(value.as_bytes()) {
                let masked = self.masked(value.as_bytes());
                *value = HeaderValue::from_bytes(&masked)
                    .unwrap_or_else(|_| HeaderValue::from_static("***"));
            }
        }
    }

    fn is_in(&self, text: &[u8]) -> bool {
        let mut forms = self.0.iter();
        forms.any(|form| memmem::find(text, form).is_some())
    }

    fn masked(&self, text: &[u8]) -> BytesMut {
        let mut masked = BytesMut::from(text);
        for form in &*self.0 {
            let mut from = 0;
            while let Some(at) = masked.get(from..).and_then(|rest| memmem::find(rest, form)) {
                let begin = from + at;
                from = begin + form.len();
                if let Some(found) = masked.get_mut(begin..from) {
                    found.fill(MASK);
                }
            }
        }
        masked
    }
}

/// As it is, in JSON, in a URL, in base64 (of it alone: inside a longer text each of three alignments differs).
fn add_forms(forms: &mut Vec<Form>, secret: &[u8]) {
    if secret.len() < SHORTEST {
        return;
    }
    let mut add = |form: Vec<u8>| forms.push(Zeroizing::new(form));
    add(secret.to_vec());
    if let Ok(text) = std::str::from_utf8(secret)
        && let Ok(json) = serde_json::to_string(text).map(Zeroizing::new)
    {
        let json = json.get(1..json.len() - 1).unwrap_or_default();
        add(json.as_bytes().to_vec());
        add(json.replace('/', "\\/").into_bytes());
    }
    for upper in [true, false] {
        add(percent(secret, upper));
    }
    add(STANDARD.encode(secret).into_bytes());
    add(STANDARD_NO_PAD.encode(secret).into_bytes());
    add(URL_SAFE_NO_PAD.encode(secret).into_bytes());
    add(hex::encode(secret).into_bytes());
    for offset in 1..3 {
        // Without the characters that also depend on what stands before and behind.
        let mut padded = Zeroizing::new(vec![0; offset]);
        padded.extend_from_slice(secret);
        let encoded = Zeroizing::new(STANDARD_NO_PAD.encode(&*padded));
        let inner = encoded.get(offset + 1..encoded.len().saturating_sub(1));
        let inner = inner.filter(|inner| inner.len() >= SHORTEST);
        inner
            .into_iter()
            .for_each(|inner| add(inner.as_bytes().to_vec()));
    }
}

fn percent(text: &[u8], upper: bool) -> Vec<u8> {
    // Room for all of it: a vector that grows leaves pieces of the secret behind.
    let mut encoded = Vec::with_capacity(3 * text.len());
    for byte in text {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
                encoded.push(*byte);
            }
            _ if upper => encoded.extend(format!("%{byte:02X}").bytes()),
            _ => encoded.extend(format!("%{byte:02x}").bytes()),
        }
    }
    encoded
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::account::Account;

    fn masked(secret: &str, text: &str) -> String {
        let held = Account::new(1000).hold(0).unwrap();
        let body = PaidBody::new(Bytes::copy_from_slice(text.as_bytes()), held);
        String::from_utf8(Mask::of(secret.as_bytes()).body(body).bytes().to_vec()).unwrap()
    }

    #[test]
    fn a_secret_is_masked_in_every_form_in_which_an_array_repeats_it() {
        let secret = "s3cr/et+canary=1\"x";
        let forms = [
            secret.to_owned(),
            serde_json::to_string(secret).unwrap(),
            "s3cr\\/et+canary=1\\\"x".to_owned(),
            "s3cr%2Fet%2Bcanary%3D1%22x".to_owned(),
            "s3cr%2fet%2bcanary%3d1%22x".to_owned(),
            STANDARD.encode(secret),
            hex::encode(secret),
        ];
        for form in forms {
            let text = format!("<pre>you sent: {form}</pre>");
            let shown = masked(secret, &text);
            assert!(
                !shown.contains("canary") && !shown.contains(&form),
                "{shown}"
            );
            assert_eq!(shown.len(), text.len());
        }
    }

    #[test]
    fn of_a_pair_the_password_alone_is_masked_too() {
        assert_eq!(
            masked("admin:hunter22", "no hunter22 here"),
            "no ******** here"
        );
    }

    #[test]
    fn headers_are_masked_and_others_left_alone() {
        let mut headers = HeaderMap::new();
        headers.insert("x-debug", HeaderValue::from_static("got token-abcdef-1"));
        headers.insert("x-other", HeaderValue::from_static("fine"));
        Mask::of(b"token-abcdef").headers(&mut headers);
        assert_eq!(headers["x-debug"], "got ************-1");
        assert_eq!(headers["x-other"], "fine");
    }
}
