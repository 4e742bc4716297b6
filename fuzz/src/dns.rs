//! Questions of the agent.
use egress::{dns::answer, names::Names};

/// An answer belongs to its question, is an answer, and fits a message.
pub fn dns(bytes: &[u8]) {
    let names = Names::new(64, Vec::new());
    if let Some(reply) = answer(bytes, &names) {
        assert_eq!(reply.get(..2), bytes.get(..2));
        assert!(reply.len() <= usize::from(u16::MAX) && reply.get(2).is_some_and(|flags| flags & 0x80 != 0));
    }
}
