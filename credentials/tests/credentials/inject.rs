//! Credentials in the head of a request.
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD, URL_SAFE_NO_PAD};
use credentials::{AuthScheme, Binding, InjectError, Injected, Placeholder, Places, Secret, Slot, inject};
use http::{HeaderMap, HeaderValue};
use percent_encoding::percent_decode_str;
use proptest::prelude::*;

const STAND_IN: &str = "ghp_standin0123456789standin0123";

/// A head after injection.
struct Done {
    target: String,
    headers: HeaderMap,
    result: Result<Injected, InjectError>,
}

impl Done {
    fn all(&self, name: &str) -> Vec<String> {
        self.headers
            .get_all(name)
            .iter()
            .map(|value| String::from_utf8(value.as_bytes().to_vec()).unwrap())
            .collect()
    }
}

fn put(scheme: AuthScheme, value: &[u8], target: &str, headers: &[(&'static str, &str)]) -> Done {
    let mut map = HeaderMap::new();
    for (name, text) in headers {
        map.append(*name, HeaderValue::from_bytes(text.as_bytes()).unwrap());
    }
    let mut target = target.to_owned();
    let binding = Binding { slot: Slot(3), scheme };
    let placeholder = Placeholder::parse(STAND_IN).unwrap();
    let result = inject(&binding, &placeholder, &Secret::new(value.to_vec()), &mut target, &mut map);
    Done { target, headers: map, result }
}

fn header(name: &str, prefix: Option<&str>) -> AuthScheme {
    AuthScheme::Header { name: name.to_owned(), prefix: prefix.map(str::to_owned) }
}

const IN_HEAD: Result<Injected, InjectError> = Ok(Injected { in_head: true, swap_body: false });

#[test]
fn the_agents_own_values_go_first() {
    let own = [
        ("authorization", "Bearer own"),
        ("authorization", "Basic own"),
        ("x-api-key", "own"),
        ("accept", "*/*"),
    ];
    let bearer = put(AuthScheme::Bearer, b"real", "/", &own);
    assert_eq!(bearer.result, IN_HEAD);
    assert_eq!(bearer.all("authorization"), ["Bearer real"]);
    assert_eq!(bearer.all("x-api-key"), ["own"]);
    let basic = put(AuthScheme::Basic { username: "git".into() }, b"re:al", "/", &own);
    assert_eq!(basic.all("authorization"), [format!("Basic {}", STANDARD.encode("git:re:al"))]);
    let named = put(header("x-api-key", None), b"real", "/", &[own.as_slice(), &own].concat());
    assert_eq!(named.all("x-api-key"), ["real"]);
    let prefixed = put(header("Authorization", Some("token ")), b"real", "/", &own);
    assert_eq!(prefixed.all("authorization"), ["token real"]);
    assert_eq!(prefixed.all("accept"), ["*/*"]);
}

/// CGI, WSGI and Rack make one variable of all of these.
#[test]
fn the_agents_own_values_go_however_the_name_is_written() {
    let own = [("x_api_key", "own"), ("x-api_key", "own"), ("x.api.key", "own"), ("x-api-keys", "other")];
    let named = put(header("x-api-key", None), b"real", "/", &own);
    assert_eq!(
        named.headers.keys().map(http::HeaderName::as_str).collect::<Vec<_>>(),
        ["x-api-keys", "x-api-key"]
    );
    assert_eq!(named.all("x-api-key"), ["real"]);
}

#[test]
fn query_parameters_are_compared_as_servers_read_them() {
    let scheme = || AuthScheme::Query { parameter: "api key".into() };
    for (target, wanted) in [
        ("/v1", "/v1?api%20key=r%26l"),
        ("/v1?", "/v1?api%20key=r%26l"),
        ("/v1?a=1&api+key=own&b", "/v1?a=1&b&api%20key=r%26l"),
        ("/v1?api%20key=own&%61pi%20%6bey=own&api+key", "/v1?api%20key=r%26l"),
        ("/v1?x=api+key&y=1?2", "/v1?x=api+key&y=1?2&api%20key=r%26l"),
    ] {
        let done = put(scheme(), b"r&l", target, &[]);
        assert_eq!((done.target.as_str(), &done.result), (wanted, &IN_HEAD), "{target}");
    }
}

#[test]
fn injected_values_are_marked_sensitive() {
    for scheme in
        [AuthScheme::Bearer, AuthScheme::Basic { username: "u".into() }, header("authorization", None)]
    {
        assert!(put(scheme, b"real", "/", &[]).headers["authorization"].is_sensitive());
    }
    let swapped = put(AuthScheme::placeholder(), b"real", "/", &[("cookie", STAND_IN), ("accept", "*/*")]);
    assert!(swapped.headers["cookie"].is_sensitive());
    assert!(!swapped.headers["accept"].is_sensitive());
}

#[test]
fn values_that_cannot_stand_there_are_refused() {
    let places = [
        AuthScheme::Bearer,
        AuthScheme::Basic { username: "u".into() },
        header("x-k", None),
        AuthScheme::placeholder(),
    ];
    for scheme in places {
        for value in [b"".as_slice(), b"two\nlines", b"two\r\nlines", b"nul\0"] {
            let done = put(scheme.clone(), value, "/", &[("x", STAND_IN)]);
            assert!(done.result.is_err(), "{scheme:?} {value:?}");
            assert!(done.headers.values().all(|value| !value.as_bytes().contains(&b'\n')));
        }
    }
    assert!(put(header("no name", None), b"real", "/", &[]).result.is_err());
    assert!(put(AuthScheme::Basic { username: "a:b".into() }, b"real", "/", &[]).result.is_err());
    let told = put(AuthScheme::Bearer, b"hu\nsh", "/", &[]).result.unwrap_err().to_string();
    assert_eq!(told, "the value of EGRESS_TOKEN_3 cannot stand in a header");
}

#[test]
fn placeholders_are_swapped_wherever_they_stand() {
    let percent: String = STAND_IN.bytes().map(|byte| format!("%{byte:02X}")).collect();
    let target = format!("/x/{STAND_IN}/y?a={percent}&b=ghp_stand");
    let basic = format!("basic {}", STANDARD.encode(format!("user:{STAND_IN}")));
    let done = put(
        AuthScheme::placeholder(),
        b"r/e&l",
        &target,
        &[
            ("authorization", &format!("Bearer {STAND_IN}")),
            ("authorization", &basic),
            ("cookie", &format!("a=b; t={STAND_IN}; u={percent}")),
            ("x-two", STAND_IN),
            ("x-two", "own"),
        ],
    );
    assert_eq!(done.result, Ok(Injected { in_head: true, swap_body: false }));
    assert_eq!(done.target, "/x/r%2Fe%26l/y?a=r%2Fe%26l&b=ghp_stand");
    let basic = format!("Basic {}", STANDARD.encode("user:r/e&l"));
    assert_eq!(done.all("authorization"), ["Bearer r/e&l", &basic]);
    assert_eq!(done.all("cookie"), ["a=b; t=r/e&l; u=r%2Fe%26l"]);
    assert_eq!(done.all("x-two"), ["r/e&l", "own"]);
}

#[test]
fn basic_is_read_as_leniently_as_servers_read_it() {
    let pairs = [format!("{STAND_IN}:x-oauth-basic"), format!("?>~:{STAND_IN}")];
    for pair in pairs {
        for encoded in [STANDARD.encode(&pair), STANDARD_NO_PAD.encode(&pair), URL_SAFE_NO_PAD.encode(&pair)]
        {
            let done = put(
                AuthScheme::placeholder(),
                b"real",
                "/",
                &[("authorization", &format!("BASIC  {encoded}"))],
            );
            let wanted = format!("Basic {}", STANDARD.encode(pair.replace(STAND_IN, "real")));
            assert_eq!(done.all("authorization"), [wanted]);
        }
    }
}

/// A body is material for the far side, which may spell it anew: nothing is put there unless the binding says so.
#[test]
fn bodies_are_swapped_only_where_it_is_said() {
    for body in [false, true] {
        let places = Places { body, websocket: !body };
        let done = put(AuthScheme::Placeholder { places }, b"real", "/", &[("x", STAND_IN)]);
        assert_eq!(done.result, Ok(Injected { in_head: true, swap_body: body }));
    }
    let written: Binding = serde_json::from_str(r#"{"slot":3,"scheme":"placeholder"}"#).unwrap();
    assert_eq!(written.scheme, AuthScheme::placeholder(), "what is not said is not done");
    let body: Binding =
        serde_json::from_str(r#"{"slot":3,"scheme":"placeholder","places":{"body":true}}"#).unwrap();
    let places = Places { body: true, websocket: false };
    assert_eq!(body.scheme, AuthScheme::Placeholder { places });
}

#[test]
fn without_a_placeholder_nothing_changes() {
    let headers =
        [("authorization", "Basic not base64!"), ("authorization", "Basic b3duOm93bg=="), ("x", "%67hp")];
    let done = put(AuthScheme::placeholder(), b"real", "/a%2Fb?c=%", &headers);
    assert_eq!(done.result, Ok(Injected { in_head: false, swap_body: false }));
    assert_eq!(done.target, "/a%2Fb?c=%");
    assert_eq!(done.all("authorization"), ["Basic not base64!", "Basic b3duOm93bg=="]);
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn what_is_injected_is_what_is_read(value in "[!-~]{1,60}", user in "[!-9;-~]{0,12}", key in "[ -~]{1,12}") {
        let bearer = put(AuthScheme::Bearer, value.as_bytes(), "/", &[]);
        prop_assert_eq!(bearer.all("authorization"), [format!("Bearer {value}")]);

        let basic = put(AuthScheme::Basic { username: user.clone() }, value.as_bytes(), "/", &[]);
        let encoded = basic.all("authorization").remove(0);
        let pair = STANDARD.decode(encoded.strip_prefix("Basic ").unwrap()).unwrap();
        prop_assert_eq!(String::from_utf8(pair).unwrap(), format!("{user}:{value}"));

        let query = put(AuthScheme::Query { parameter: key.clone() }, value.as_bytes(), "/p?own_parameter=1", &[]);
        let (name, read) = query.target.strip_prefix("/p?own_parameter=1&").unwrap().split_once('=').unwrap();
        prop_assert_eq!(percent_decode_str(name).decode_utf8().unwrap(), key);
        prop_assert_eq!(percent_decode_str(read).decode_utf8().unwrap(), value.as_str());

        let path = put(AuthScheme::placeholder(), value.as_bytes(), &format!("/a/{STAND_IN}/b"), &[("x", STAND_IN)]);
        let [_, _, read, _] = path.target.split('/').collect::<Vec<_>>()[..] else { panic!("{}", path.target) };
        prop_assert_eq!(percent_decode_str(read).decode_utf8().unwrap(), value.as_str());
        prop_assert_eq!(path.all("x"), [value]);
    }
}
