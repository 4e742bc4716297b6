//! Who a user is to engines that others use as well: a number that was drawn once and is kept with the user's state. It
//! says nothing of machine or account, stays when the machine is renamed, and is another for everybody.
use crate::failure::Failure;
use crate::places;
use crate::whole;
use std::io::ErrorKind;
use std::path::Path;

/// The file below the state folder.
const FILE: &str = "owner";
/// Hexadecimal digits.
const LENGTH: usize = 32;

/// The user's own, drawn now when there is none yet.
pub fn identity() -> Result<String, Failure> {
    let folder = places::state_root()?;
    places::private_folders(&folder)?;
    kept_at(&folder.join(FILE))
}

fn kept_at(path: &Path) -> Result<String, Failure> {
    if let Some(kept) = read(path)? {
        return Ok(kept);
    }
    let drawn = format!("{:032x}\n", rand::random::<u128>());
    match whole::create(path, drawn.as_bytes(), 0o600) {
        Ok(()) => Ok(drawn.trim_end().to_owned()),
        // Another launcher was faster.
        Err(failure) => read(path)?.ok_or(failure),
    }
}

fn read(path: &Path) -> Result<Option<String>, Failure> {
    let text = match std::fs::read_to_string(path) {
        Ok(text) => text.trim_end().to_owned(),
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(Failure::new(format!("cannot read `{}`: {error}", path.display()))),
    };
    if text.len() == LENGTH && text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return Ok(Some(text));
    }
    Err(Failure::new(format!("`{}` does not hold {LENGTH} hexadecimal digits", path.display()))
        .help("remove it to have another number drawn; homes at engines elsewhere are then new ones"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_drawn_once_and_never_guessed_at() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join(FILE);
        let first = kept_at(&path).expect("drawn");
        assert_eq!(kept_at(&path).expect("kept"), first);
        assert_ne!(kept_at(&folder.path().join("another")).expect("drawn"), first);
        std::fs::write(&path, "short\n").expect("written");
        assert!(kept_at(&path).expect_err("no number").what.contains("hexadecimal"));
    }
}
