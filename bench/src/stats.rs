//! Medians with intervals. Nothing is assumed of how the figures are distributed.

/// A median, and the interval that holds the true one in at least 95 of 100 cases.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Estimate {
    /// The median.
    pub(crate) median: f64,
    /// Lower end of the interval.
    pub(crate) low: f64,
    /// Upper end.
    pub(crate) high: f64,
}

/// The median of these figures with its 95% interval; nothing where there are no figures. The interval lies between two of them, by
/// their order alone: how many lie below the true median is binomial with one half. With fewer than six figures no
/// two of them are far enough apart for 95%, and the outermost ones stand there.
pub(crate) fn estimate(figures: &[f64]) -> Option<Estimate> {
    let sorted = sorted(figures);
    let (first, last) = (*sorted.first()?, *sorted.last()?);
    let median = quantile_of_sorted(&sorted, 0.5);
    let (low, high) = match cut(sorted.len()) {
        Some(cut) => (sorted[cut], sorted[sorted.len() - 1 - cut]),
        None => (first, last),
    };
    Some(Estimate { median, low, high })
}

/// How many figures may be left out at either end, so that at most 2.5% of the binomial distribution lie outside.
fn cut(count: usize) -> Option<usize> {
    let mut outside = 0.0;
    let mut term = 0.5_f64.powi(i32::try_from(count).ok()?);
    let mut cut = None;
    for index in 0..count / 2 {
        outside += term;
        if outside > 0.025 {
            break;
        }
        cut = Some(index);
        term *= fraction(count - index) / fraction(index + 1);
    }
    cut
}

/// The figure below which this share of them lies, between neighbours where it falls between; 0 for none.
pub(crate) fn quantile(figures: &[f64], share: f64) -> f64 {
    quantile_of_sorted(&sorted(figures), share)
}

fn quantile_of_sorted(sorted: &[f64], share: f64) -> f64 {
    let Some(last) = sorted.len().checked_sub(1) else { return 0.0 };
    let place = fraction(last) * share.clamp(0.0, 1.0);
    let below = (0..=last).rev().find(|index| fraction(*index) <= place).unwrap_or(0);
    let above = (below + 1).min(last);
    sorted[below] + (sorted[above] - sorted[below]) * (place - fraction(below))
}

fn sorted(figures: &[f64]) -> Vec<f64> {
    let mut sorted = figures.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted
}

/// A count as a number to reckon with; counts here are far below 2^52.
pub(crate) fn fraction(count: usize) -> f64 {
    f64::from(u32::try_from(count).unwrap_or(u32::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_is_in_the_middle() {
        assert_eq!(estimate(&[3.0, 1.0, 2.0]).map(|e| e.median), Some(2.0));
        assert_eq!(estimate(&[4.0, 1.0, 2.0, 3.0]).map(|e| e.median), Some(2.5));
        assert_eq!(estimate(&[]), None);
    }

    /// The places of the order statistics are those of the usual tables: fifteen figures, from the fourth to the twelfth.
    #[test]
    fn intervals_are_those_of_the_tables() {
        for (count, lowest) in [(6, 1), (9, 2), (15, 4), (25, 8), (50, 18), (100, 40)] {
            let figures: Vec<f64> = (1..=count).map(f64::from).collect();
            let estimate = estimate(&figures).expect("figures");
            assert_eq!(
                (estimate.low, estimate.high),
                (f64::from(lowest), f64::from(count + 1 - lowest)),
                "{count}"
            );
        }
    }

    #[test]
    fn few_figures_have_an_interval_of_all_of_them() {
        let estimate = estimate(&[1.0, 9.0, 5.0]).expect("figures");
        assert_eq!((estimate.low, estimate.high), (1.0, 9.0));
    }

    #[test]
    fn quantiles_lie_between_neighbours() {
        let figures: Vec<f64> = (0..=100).map(f64::from).collect();
        assert_eq!(quantile(&figures, 0.99), 99.0);
        assert_eq!(quantile(&figures, 0.5), 50.0);
        assert_eq!(quantile(&[1.0, 2.0], 0.25), 1.25);
        assert_eq!(quantile(&[], 0.5), 0.0);
    }

    /// The interval holds the true median as often as it says: 2,000 draws of fifteen from a skewed distribution.
    #[test]
    fn intervals_hold_what_they_promise() {
        let mut state = 1_u64;
        let mut draw = || {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            let uniform = f64::from(u32::try_from(state >> 32).unwrap_or(0)) / 2_f64.powi(32);
            uniform * uniform * uniform
        };
        let held = (0..2000)
            .filter(|_| {
                let figures: Vec<f64> = (0..15).map(|_| draw()).collect();
                let estimate = estimate(&figures).expect("figures");
                (estimate.low..=estimate.high).contains(&0.125)
            })
            .count();
        assert!(held > 1900, "{held} of 2000");
    }
}
