//! Before anything is measured: that everybody does the work that their figures stand for.
use crate::bodies::{Kind, body};
use crate::h1::Connection;
use crate::ours::OTHER_SECRET;
use crate::scenario::{HOST, one_name};
use crate::stage::Stage;
use crate::upstream::{CREDENTIAL, TAKEN};
use crate::way::{Way, Who};
use anyhow::{Context, Result, bail, ensure};

/// Looks at each of them; an error says who does not do what.
pub(crate) fn everybody(stage: &Stage, ways: &[Who]) -> Result<()> {
    let impostor = stage.impostor()?;
    for who in ways {
        one(stage, *who).with_context(|| format!("{} does not do its work", who.title()))?;
        let misled = stage.start_to(*who, &one_name(), impostor.1)?;
        if stage.drive(small(&misled)).is_ok() {
            bail!("{} takes a certificate of somebody else's", who.title());
        }
    }
    Ok(())
}

fn one(stage: &Stage, who: Who) -> Result<()> {
    let way = stage.start(who, &one_name())?;
    // The upstream answers 401 to whoever does not bring the credential: for ours, it was put in.
    stage.drive(small(&way))?;
    let echoed = stage.drive(get(&way, "/echo", ""))?;
    if !matches!(who, Who::Ours | Who::OursDlpOff) {
        ensure!(echoed.1 == CREDENTIAL, "it changes answers");
        return Ok(());
    }
    ensure!(!way.authorization().contains(CREDENTIAL), "the driver holds the credential");
    ensure!(echoed.0 == 200 && !echoed.1.contains(CREDENTIAL), "the credential comes back");
    ensure!(
        stage.drive(get(&way, "/elsewhere", ""))?.0 == 403,
        "the policy lets a path pass that no route has"
    );
    let (status, _) = stage.drive(get(&way, "/get/text/1024", &format!("X-Note: {OTHER_SECRET}\r\n")))?;
    ensure!(status == 403, "a known secret leaves");
    let (status, _) = stage.drive(post(&way, &looks_like_a_token()))?;
    match who {
        Who::Ours => ensure!(status == 403, "what looks like a token leaves: {status}"),
        // The far side's own answer: the body is not the one that is meant.
        _ => ensure!(status == 400, "rules are on that should be off: {status}"),
    }
    ensure!(
        stage.drive(post(&way, &body(Kind::Text, 1024)))? == (200, TAKEN.to_owned()),
        "a clean body does not pass"
    );
    Ok(())
}

/// Put together here, so that no scanner takes this file for a leak.
fn looks_like_a_token() -> Vec<u8> {
    let letters = "mQ7vK2xR9tZ4wB8nL5cJ";
    format!("{{\"note\":\"the key is {}{letters}\"}}", ["gl", "pat", "-"].concat()).into_bytes()
}

async fn small(way: &Way) -> Result<()> {
    let request = format!("{}\r\n", way.head("GET", HOST, "/get/text/1024"));
    Connection::new(way.connect(HOST).await?).exchange(request.as_bytes(), &body(Kind::Text, 1024)).await
}

async fn get(way: &Way, path: &str, header: &str) -> Result<(u16, String)> {
    let request = format!("{}{header}\r\n", way.head("GET", HOST, path));
    let mut connection = Connection::new(way.connect(HOST).await?);
    connection.send(request.as_bytes()).await?;
    connection.whatever().await
}

async fn post(way: &Way, content: &[u8]) -> Result<(u16, String)> {
    let length = content.len();
    let head = way.head("POST", HOST, "/put/text/1024");
    let request = format!("{head}Content-Type: application/json\r\nContent-Length: {length}\r\n\r\n");
    let mut connection = Connection::new(way.connect(HOST).await?);
    connection.send(request.as_bytes()).await?;
    connection.send(content).await?;
    connection.whatever().await
}
