//! Values to keep inside, besides the tokens.
use credentials::{ExactSource, load_exact};
use std::fs;
use std::path::PathBuf;

fn load(name: &str, content: &str) -> Result<Vec<(String, String)>, String> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(name);
    fs::write(&path, content).unwrap();
    let loaded = load_exact(&[ExactSource::File { path, keys: None }])
        .map_err(|mut wrong| wrong.remove(0).to_string())?;
    let text = |value: &[u8]| String::from_utf8(value.to_vec()).unwrap();
    Ok(loaded.sought.into_iter().map(|secret| (secret.name, text(secret.value.dangerous_expose()))).collect())
}

#[test]
fn the_values_of_a_dotenv_file_are_kept_and_everyday_ones_are_not() {
    let content = "NODE_ENV=development\nPORT=3000\nexport DB_PASSWORD='hunter2 hunter2' # old\nKEY=\"a\\nb-long-enough\"\n";
    let wanted = [(".env:DB_PASSWORD", "hunter2 hunter2"), (".env:KEY", "a\nb-long-enough")];
    assert_eq!(
        load(".env", content).unwrap(),
        wanted.map(|(name, value)| (name.to_owned(), value.to_owned()))
    );
}

#[test]
fn the_password_in_an_address_is_kept_by_itself() {
    let content = "DATABASE_URL=postgres://app:hunter2%21hunter2@db.internal:5432/app\nSITE=https://example.com/a:b@c\n";
    let values: Vec<String> = load(".env", content).unwrap().into_iter().map(|(_, value)| value).collect();
    let whole = "postgres://app:hunter2%21hunter2@db.internal:5432/app";
    assert_eq!(values, [whole, "hunter2%21hunter2", "https://example.com/a:b@c"]);
}

/// One line that the libraries would not read does not leave the others unguarded.
#[test]
fn an_odd_line_does_not_hide_the_others() {
    let content =
        "set -a\nDB_PASSWORD=hunter2hunter2\nfoo-bar=x\nexport API_KEY=\"key-0123456789\" # new\nPORT=3000\n";
    let names: Vec<String> = load(".env", content).unwrap().into_iter().map(|(name, _)| name).collect();
    assert_eq!(names, [".env:DB_PASSWORD", ".env:API_KEY", ".env"]);
}

#[test]
fn any_other_file_is_one_value() {
    for content in ["just-a-key-0123", "Zm9vYmFyYmF6cXV4==", "-----BEGIN KEY-----\nabc=\n-----END KEY-----"] {
        assert_eq!(load("key", &format!("{content}\n")).unwrap(), [("key".to_owned(), content.to_owned())]);
    }
}

#[test]
fn what_cannot_be_read_is_told_at_once() {
    assert!(load("key", " \n").unwrap_err().contains("is empty"));
    assert!(
        load("pin", "1234567\n").unwrap_err().contains("cannot be kept inside"),
        "nothing is left out in silence"
    );
    let sources = [
        ExactSource::Env { name: "NOBODY_SETS_THIS".into() },
        ExactSource::Env { name: "CARGO_PKG_NAME".into() },
        ExactSource::File { path: PathBuf::from("/no/such/file"), keys: None },
    ];
    let wrong = load_exact(&sources).unwrap_err();
    assert_eq!(wrong.len(), 2);
    assert!(wrong[0].why.contains("export NOBODY_SETS_THIS=…") && wrong[1].why.contains("/no/such/file"));
    assert_eq!(load_exact(&sources[1..2]).unwrap().sought[0].name, "env:CARGO_PKG_NAME");
}

/// What nobody looks for is told, by name; a file that is one secret has no names to tell.
#[test]
fn values_that_are_not_sought_are_named() {
    let folder = tempfile::tempdir().unwrap();
    let unsought = |name: &str, content: &str| {
        let path = folder.path().join(name);
        fs::write(&path, content).unwrap();
        load_exact(&[ExactSource::File { path, keys: None }]).unwrap().unsought
    };
    let content = "PIN=1234567\nMODE=production\nEMPTY=\nDB_PASSWORD=12345678\n";
    assert_eq!(unsought(".env", content), [".env:PIN", ".env:MODE"]);
    assert_eq!(unsought(".env", "PIN=1234\nA=1\n"), [".env:PIN", ".env:A"]);
    assert_eq!(unsought("key", "c2VjcmV0LWtleS1ieXRlcw==\n"), [] as [&str; 0]);
}
