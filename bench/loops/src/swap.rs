//! A credential into the head of a request.
use credentials::{AuthScheme, Binding, Placeholder, Secret, Slot, inject as put};
use http::{HeaderMap, HeaderValue, header};
use std::hint::black_box;

pub(crate) fn inject(count: u32) {
    let binding = Binding { slot: Slot(0), scheme: AuthScheme::Bearer };
    let placeholder = Placeholder::parse("bottle_0123456789abcdefghij").expect("a placeholder");
    let secret = Secret::new(b"made-up-value-of-forty-letters-and-more".to_vec());
    let mut headers = HeaderMap::new();
    headers.insert(header::HOST, HeaderValue::from_static("api.example.com"));
    headers.insert(header::ACCEPT, HeaderValue::from_static("application/json"));
    headers.insert(header::USER_AGENT, HeaderValue::from_static("Example/JS 0.60.0"));
    let mut target = "/v1/messages".to_owned();
    for _ in 0..count {
        headers.insert(header::AUTHORIZATION, HeaderValue::from_static("Bearer bottle_0123456789abcdefghij"));
        let done = put(&binding, &placeholder, &secret, &mut target, black_box(&mut headers));
        assert!(done.is_ok_and(|done| done.in_head));
    }
}
