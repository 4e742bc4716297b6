//! The HTTP libraries of the languages.
use crate::bottle::{
    Bottle, Ran, allowed_and_refused, allowed_and_refused_with, arrived, cache, client, scripts,
};
use crate::{tokens, world};

/// A library of Python with both URLs. `before` runs first.
fn python(library: &str, before: &str) {
    let Some(python) = client("python/bin/python") else { return };
    let script = scripts().join("client.py");
    let run = format!("{before}\n{python} {} {library} \"$URL\" \"$REFUSED\"", script.display());
    allowed_and_refused(&format!("python-{}", library.replace('_', "-")), &run);
}

#[test]
fn python_urllib() {
    python("urllib", "");
}

#[test]
fn python_urllib_with_strict_verification() {
    python("urllib_strict", "");
}

#[test]
fn python_http_client_which_knows_no_proxy() {
    python("http_client", "");
}

#[test]
fn python_urllib3_which_knows_no_proxy() {
    python("urllib3", "");
}

#[test]
fn python_requests() {
    python("requests", "");
}

#[test]
fn python_httpx() {
    python("httpx", "");
}

#[test]
fn python_aiohttp_which_knows_no_proxy() {
    python("aiohttp", "");
}

#[test]
fn python_aiohttp_with_trust_env() {
    python("aiohttp_trust_env", "");
}

#[test]
fn python_without_any_variable_is_captured() {
    let unset =
        "unset HTTP_PROXY HTTPS_PROXY http_proxy https_proxy SSL_CERT_FILE; NO_PROXY='*'; export NO_PROXY";
    let Some(python) = client("python/bin/python") else { return };
    let script = scripts().join("client.py");
    let run = format!("{unset}\n{python} {} urllib \"$URL\" \"$REFUSED\"", script.display());
    allowed_and_refused("python-bare", &run);
}

/// A library of Node with both URLs.
fn node(program: &str, library: &str) {
    let Some(node) = client(program) else { return };
    let cache = cache();
    let script =
        std::fs::read_to_string(scripts().join("client.mjs")).expect("the script is in the repository");
    let name = format!("node-{}-{library}", if program == "node" { "old" } else { "new" });
    // Beside `node_modules`, where imports are looked for.
    let bottle = Bottle::new(&name).file("client.mjs", &script);
    std::os::unix::fs::symlink(cache.join("node/node_modules"), bottle.workspace().join("node_modules"))
        .expect("a link");
    allowed_and_refused_with(&bottle, &name, &format!("{node} client.mjs {library} \"$URL\" \"$REFUSED\""));
}

const NEW_NODE: &str = "node/node_modules/.bin/node";

#[test]
fn node_fetch() {
    node(NEW_NODE, "fetch");
}

#[test]
fn node_https() {
    node(NEW_NODE, "https");
}

#[test]
fn node_undici() {
    node(NEW_NODE, "undici");
}

#[test]
fn node_http2_which_knows_no_proxy() {
    node(NEW_NODE, "http2");
}

#[test]
fn node_of_the_system_by_fetch() {
    node("node", "fetch");
}

#[test]
fn node_of_the_system_by_https() {
    node("node", "https");
}

#[test]
fn node_ws_which_knows_no_proxy() {
    let Some(node) = client(NEW_NODE) else { return };
    let script =
        std::fs::read_to_string(scripts().join("client.mjs")).expect("the script is in the repository");
    let bottle = Bottle::new("node-ws").file("client.mjs", &script);
    std::os::unix::fs::symlink(cache().join("node/node_modules"), bottle.workspace().join("node_modules"))
        .expect("a link");
    let ran =
        bottle.run(&format!("{node} client.mjs ws 'https://echo.test/ws?node-ws' https://refused.test/ws"));
    websocket_held(ran, "/ws?node-ws");
}

#[test]
fn python_websockets() {
    let Some(python) = client("python/bin/python") else { return };
    let script = scripts().join("client.py");
    let urls = "'https://echo.test/ws?python-ws' https://refused.test/ws";
    let ran = Bottle::new("python-ws").run(&format!("{python} {} websockets {urls}", script.display()));
    websocket_held(ran, "/ws?python-ws");
}

#[track_caller]
fn websocket_held(ran: Ran, path: &str) {
    ran.ended(0).says("101 hello over websocket").says("426");
    arrived(world::ECHO, path, "authorization", &format!("Bearer {}", tokens::ECHO));
}

#[test]
fn python_grpc_keeps_its_trailers() {
    let Some(python) = client("python/bin/python") else { return };
    let script = scripts().join("client.py");
    let ran = Bottle::new("grpc")
        .run(&format!("{python} {} grpc https://echo.test https://refused.test", script.display()));
    ran.ended(0).says("0 hello over grpc").says("PERMISSION_DENIED");
    arrived(world::ECHO, "/echo.Echo/Say", "authorization", &format!("Bearer {}", tokens::ECHO));
}

#[test]
fn go_net_http() {
    let Some(client) = client("go/client") else { return };
    allowed_and_refused("go", &format!("{client} \"$URL\" \"$REFUSED\""));
}

fn java(class: &str, before: &str) {
    let (Some(java), Some(_)) = (client("java"), client("java/Client.class")) else { return };
    let classes = cache().join("java");
    let run = format!(
        "{before}\n{java} -XX:TieredStopAtLevel=1 -cp {} Client {class} \"$URL\" \"$REFUSED\"",
        classes.display()
    );
    let bare = if before.is_empty() { "" } else { "-bare" };
    allowed_and_refused(&format!("java-{}{bare}", class.to_lowercase()), &run);
}

#[test]
fn java_http_client() {
    java("HttpClient", "");
}

#[test]
fn java_url_connection() {
    java("URLConnection", "");
}

#[test]
fn java_without_its_options_is_captured_and_its_own_store_trusts() {
    java("URLConnection", "unset JAVA_TOOL_OPTIONS");
}
