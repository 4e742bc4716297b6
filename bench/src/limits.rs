//! Open files: a thousand connections through a process are two thousand sockets.
use nix::sys::resource::{Resource, getrlimit, setrlimit};

/// Takes as many open files as this user may have; children inherit it.
pub(crate) fn raise() {
    if let Ok((_, most)) = getrlimit(Resource::RLIMIT_NOFILE) {
        let _as_before = setrlimit(Resource::RLIMIT_NOFILE, most.min(1 << 20), most);
    }
}
