//! Which line a place of a stream is in. What is far behind is forgotten: findings come with the bytes that hold them.
use std::collections::VecDeque;

/// Findings come at most so many bytes behind what was read.
const BEHIND: u64 = 4 * 1024 * 1024;

/// Where lines begin, of those that may still be asked for.
pub(super) struct Lines {
    starts: VecDeque<u64>,
    /// Number of the first one of them, from 1.
    first: u64,
    read: u64,
}

impl Default for Lines {
    fn default() -> Lines {
        Lines { starts: VecDeque::from([0]), first: 1, read: 0 }
    }
}

impl Lines {
    /// The next bytes.
    pub(super) fn see(&mut self, chunk: &[u8]) {
        let breaks = chunk.iter().zip(self.read + 1..).filter(|(byte, _)| **byte == b'\n');
        self.starts.extend(breaks.map(|(_, next)| next));
        self.read += chunk.len() as u64;
        let known = self.read.saturating_sub(BEHIND);
        while self.starts.get(1).is_some_and(|second| *second <= known) {
            self.starts.pop_front();
            self.first += 1;
        }
    }

    /// Line and column of a place, from 1.
    pub(super) fn place(&self, offset: u64) -> (u64, u64) {
        let index = self.starts.partition_point(|start| *start <= offset).saturating_sub(1);
        let start = self.starts.get(index).copied().unwrap_or(0);
        (self.first + index as u64, offset.saturating_sub(start) + 1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_counted_over_chunks() {
        let text = b"ab\ncd\n\nef";
        for cut in 0..text.len() {
            let mut lines = Lines::default();
            lines.see(&text[..cut]);
            lines.see(&text[cut..]);
            let places: Vec<_> = [0, 2, 3, 6, 7, 8].iter().map(|at| lines.place(*at)).collect();
            assert_eq!(places, [(1, 1), (1, 3), (2, 1), (3, 1), (4, 1), (4, 2)], "cut at {cut}");
        }
    }

    #[test]
    fn what_is_far_behind_takes_no_memory() {
        let mut lines = Lines::default();
        for _ in 0..64 {
            lines.see(&b"x\n".repeat(128 * 1024));
        }
        assert!(lines.starts.len() as u64 <= BEHIND / 2 + 1);
        assert_eq!(lines.place(lines.read - 2), (64 * 128 * 1024, 1));
    }
}
