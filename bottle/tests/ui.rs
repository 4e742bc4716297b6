//! `bottle ui` against bottles whose launchers are real and whose engines are played: what it lets in, what it tells, and the
//! page itself in a browser.

#[path = "ui/browser.rs"]
mod browser;
#[path = "ui/chromium.rs"]
mod chromium;
#[path = "ui/command.rs"]
mod command;
#[path = "ui/day.rs"]
mod day;
#[path = "ui/guards.rs"]
mod guards;
#[path = "ui/http.rs"]
mod http;
#[path = "ui/look.rs"]
mod look;
#[path = "ui/orders.rs"]
mod orders;
#[path = "ui/stage.rs"]
mod stage;
#[path = "ui/stream.rs"]
mod stream;
