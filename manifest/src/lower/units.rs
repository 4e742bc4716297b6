//! Durations, sizes and rates.
use crate::plan::RatePlan;

/// `90s`, `10m`, `8h`, `2d` in seconds.
///
/// # Errors
/// A clause that says what a duration is.
pub fn duration(text: &str) -> Result<u64, String> {
    let wrong =
        || format!("`{text}` is not a duration: write a number and `s`, `m`, `h` or `d`, for example `10m`");
    let (number, unit) = text.split_at(text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len()));
    let factor = match unit {
        "s" => 1,
        "m" => 60,
        "h" => 3_600,
        "d" => 86_400,
        _ => return Err(wrong()),
    };
    let number: u64 = number.parse().map_err(|_| wrong())?;
    match number.checked_mul(factor) {
        Some(seconds) if seconds > 0 => Ok(seconds),
        _ => Err(format!("`{text}` is not a duration that can pass")),
    }
}

/// `512MiB`, `4GiB` in bytes.
///
/// # Errors
/// A clause that says what a size is.
pub fn size(text: &str) -> Result<u64, String> {
    let wrong = || {
        format!("`{text}` is not a size: write a number and `KiB`, `MiB`, `GiB` or `TiB`, for example `4GiB`")
    };
    let (number, unit) = text.split_at(text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len()));
    let shift = match unit.trim_start() {
        "KiB" => 10,
        "MiB" => 20,
        "GiB" => 30,
        "TiB" => 40,
        _ => return Err(wrong()),
    };
    let number: u64 = number.parse().map_err(|_| wrong())?;
    match number.checked_mul(1 << shift) {
        Some(bytes) if bytes > 0 => Ok(bytes),
        _ => Err(format!("`{text}` is not a size that memory can have")),
    }
}

/// `10MiB/min`, `1GiB/run`: bytes within a time.
///
/// # Errors
/// A clause that says what such a rate is.
pub fn bytes_rate(text: &str) -> Result<RatePlan, String> {
    rate(text, "10MiB/min", |amount| size(amount).ok())
}

/// `60/min`, `1000/run`: a number within a time.
///
/// # Errors
/// A clause that says what such a rate is.
pub fn count_rate(text: &str) -> Result<RatePlan, String> {
    rate(text, "60/min", |amount| amount.parse().ok().filter(|count| *count > 0))
}

fn rate(text: &str, example: &str, read: impl Fn(&str) -> Option<u64>) -> Result<RatePlan, String> {
    let wrong = || {
        format!(
            "`{text}` is not an amount within a time: write for example `{example}`, with `s`, `min`, `h`, `d` or `run` behind \
             the slash"
        )
    };
    let (amount, unit) = text.split_once('/').ok_or_else(wrong)?;
    let per_secs = match unit.trim_start() {
        "s" => Some(1),
        "min" => Some(60),
        "h" => Some(3_600),
        "d" => Some(86_400),
        "run" => None,
        _ => return Err(wrong()),
    };
    Ok(RatePlan { amount: read(amount.trim_end()).ok_or_else(wrong)?, per_secs })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations() {
        assert_eq!(duration("90s"), Ok(90));
        assert_eq!(duration("10m"), Ok(600));
        assert_eq!(duration("8h"), Ok(28_800));
        assert_eq!(duration("2d"), Ok(172_800));
        for wrong in
            ["", "10", "m", "-1s", "1.5h", "10 m", "0s", "1w", "99999999999999999999d", "9999999999999999d"]
        {
            assert!(duration(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn rates() {
        let rate = |amount, per_secs| Ok(RatePlan { amount, per_secs });
        assert_eq!(bytes_rate("10MiB/min"), rate(10 << 20, Some(60)));
        assert_eq!(bytes_rate("1 GiB / run"), rate(1 << 30, None));
        assert_eq!(count_rate("60/min"), rate(60, Some(60)));
        assert_eq!(count_rate("5/s"), rate(5, Some(1)));
        for wrong in ["", "60", "60/", "/min", "60/week", "-1/min", "0/min", "1.5/min", "60 per min"] {
            assert!(count_rate(wrong).is_err(), "{wrong}");
        }
        for wrong in ["10/min", "10MB/min", "0KiB/min", "10MiB", "10MiB/m"] {
            assert!(bytes_rate(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn sizes() {
        assert_eq!(size("512MiB"), Ok(512 << 20));
        assert_eq!(size("4 GiB"), Ok(4 << 30));
        for wrong in ["", "4", "4GB", "4G", "-4GiB", "0MiB", "99999999TiB"] {
            assert!(size(wrong).is_err(), "{wrong}");
        }
    }
}
