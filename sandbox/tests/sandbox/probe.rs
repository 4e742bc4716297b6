//! What this program does inside a bottle.
pub(crate) fn main(arguments: &[String]) {
    eprintln!("{arguments:?}");
}
