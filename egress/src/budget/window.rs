//! How much of an amount was used within the last span of time. Pure: the time is handed in.
use super::Rate;
use std::time::Duration;

/// A span is counted in so many parts; what was used in one is forgotten as a whole.
const PARTS: usize = 60;
/// One more than a span has: the part that is running is not over.
const KEPT: usize = PARTS + 1;

/// Never more than the amount in any span of the length, whenever it begins; up to a sixtieth of a span later than a clock
/// would have it, there is room again.
pub(super) struct Window {
    rate: Rate,
    parts: [u64; KEPT],
    /// Number of the part that is running, counted from the start.
    running: u64,
    used: u64,
}

/// Why an amount does not fit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Full {
    /// It does after this time, if nothing else is used.
    Until(Duration),
    /// It never does.
    Never,
}

impl Window {
    pub(super) fn new(rate: Rate) -> Window {
        Window { rate, parts: [0; KEPT], running: 0, used: 0 }
    }

    pub(super) fn rate(&self) -> Rate {
        self.rate
    }

    /// Whether the amount fits at this time since the start; times do not run backwards.
    pub(super) fn fits(&mut self, amount: u64, now: Duration) -> Result<(), Full> {
        self.forget(now);
        if amount <= self.rate.amount.saturating_sub(self.used) {
            Ok(())
        } else {
            Err(self.opens(amount, now))
        }
    }

    /// Uses an amount that fits, in the part that was running at the last look.
    pub(super) fn put(&mut self, amount: u64) {
        self.used = self.used.saturating_add(amount);
        let part = &mut self.parts[place(self.running)];
        *part = part.saturating_add(amount);
    }

    fn forget(&mut self, now: Duration) {
        let Some(part) = self.part() else { return };
        let current = u64::try_from(now.as_nanos() / part).unwrap_or(u64::MAX);
        let passed = current.saturating_sub(self.running).min(KEPT as u64);
        for step in 1..=passed {
            let gone = std::mem::take(&mut self.parts[place(self.running.wrapping_add(step))]);
            self.used = self.used.saturating_sub(gone);
        }
        self.running = self.running.max(current);
    }

    /// Length of a part in nanoseconds.
    fn part(&self) -> Option<u128> {
        self.rate.per.map(|per| (per.as_nanos() / PARTS as u128).max(1))
    }

    fn opens(&self, amount: u64, now: Duration) -> Full {
        let Some(part) = self.part().filter(|_| amount <= self.rate.amount) else { return Full::Never };
        let mut left = self.used;
        for step in 1..=KEPT as u64 {
            left = left.saturating_sub(self.parts[place(self.running.wrapping_add(step))]);
            if amount <= self.rate.amount - left.min(self.rate.amount) {
                let at = u128::from(self.running + step) * part;
                let nanos = u64::try_from(at.saturating_sub(now.as_nanos())).unwrap_or(u64::MAX);
                return Full::Until(Duration::from_nanos(nanos));
            }
        }
        Full::Never
    }
}

fn place(part: u64) -> usize {
    usize::try_from(part % KEPT as u64).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn per_minute(amount: u64) -> Window {
        Window::new(Rate { amount, per: Some(Duration::from_secs(60)) })
    }

    fn take(window: &mut Window, amount: u64, at_ms: u64) -> Result<(), Full> {
        window.fits(amount, Duration::from_millis(at_ms)).map(|()| window.put(amount))
    }

    #[test]
    fn it_opens_when_it_says_and_not_before() {
        let mut window = per_minute(10);
        take(&mut window, 6, 500).expect("fits");
        take(&mut window, 4, 30_500).expect("fits");
        let Err(Full::Until(wait)) = take(&mut window, 5, 31_000) else { panic!("there is no room") };
        let opens = 31_000 + u64::try_from(wait.as_millis()).expect("short");
        assert_eq!(opens, 61_000, "a minute after the second in which the six were used");
        assert!(take(&mut window, 5, opens - 1).is_err());
        take(&mut window, 5, opens).expect("it said so");
        assert_eq!(take(&mut window, 11, opens), Err(Full::Never));
    }

    /// The sum of whatever was let through within any minute, by trying at every moment.
    #[test]
    fn no_span_has_more_than_the_amount() {
        let mut window = per_minute(100);
        let mut taken: Vec<(u64, u64)> = Vec::new();
        for step in 0..4000_u64 {
            let (at, amount) = (step * 73, 1 + step.wrapping_mul(2_654_435_761) % 17);
            if take(&mut window, amount, at).is_ok() {
                taken.push((at, amount));
            }
        }
        for (start, _) in &taken {
            let within = taken.iter().filter(|(at, _)| at >= start && *at < start + 60_000);
            let sum: u64 = within.map(|(_, amount)| amount).sum();
            assert!(sum <= 100, "{sum} from {start}");
        }
        assert!(taken.iter().map(|(_, amount)| amount).sum::<u64>() > 400, "it opens again");
    }

    #[test]
    fn after_a_long_silence_all_is_there() {
        let mut window = per_minute(10);
        take(&mut window, 10, 0).expect("fits");
        take(&mut window, 10, 10_000_000_000).expect("fits");
    }
}
