//! Bodies: large ones, slow ones, compressed ones, both ways.
use crate::bottle::{Bottle, client};
use std::time::Duration;

#[test]
fn a_download_of_64_mebibytes_arrives_whole_by_both_versions() {
    let Some(curl) = client("curl") else { return };
    let script =
        format!("for v in --http1.1 --http2; do {curl} -sS $v 'https://echo.test/big?64' | wc -c; done");
    let ran = Bottle::new("big-down").run(&script).ended(0);
    assert_eq!(ran.said.matches("67108864").count(), 2, "{}", ran.said);
}

#[test]
fn an_upload_of_unknown_length_arrives_whole_by_both_versions() {
    let Some(curl) = client("curl") else { return };
    let script = format!(
        "head -c 20000000 /dev/zero > zeros; sha256sum < zeros | cut -d' ' -f1 > sum\n\
         for v in --http1.1 --http2; do {curl} -sS $v -T - https://echo.test/upload < zeros > answer; cat answer\n\
           grep -q \"$(cat sum)\" answer || exit 1; done"
    );
    Bottle::new("big-up").run(&script).ended(0).says("20000000");
}

#[test]
fn compressed_and_chunked_answers_arrive() {
    let Some(curl) = client("curl") else { return };
    let script = format!(
        "{curl} -sS --compressed https://echo.test/gzip | sort -u; {curl} -sS --compressed https://echo.test/br | sort -u\n\
         {curl} -sS https://echo.test/chunked"
    );
    let ran = Bottle::new("codings").run(&script).ended(0).says("one two three");
    assert_eq!(ran.said.matches("compressed hello").count(), 2, "{}", ran.said);
}

/// Each event must be inside before the next one is sent: 300 ms lie between them.
#[test]
fn events_arrive_one_by_one() {
    let Some(curl) = client("curl") else { return };
    let script = format!(
        "{curl} -sSN https://echo.test/sse | while read -r line; do [ -z \"$line\" ] || echo \"$line $(date +%s%N)\"; done"
    );
    let ran = Bottle::new("sse").run(&script).ended(0);
    let times: Vec<u64> = ran.said.lines().filter_map(|line| line.rsplit(' ').next()?.parse().ok()).collect();
    assert_eq!(times.len(), 3, "{}", ran.said);
    let gap = Duration::from_nanos(times[1] - times[0]);
    assert!(gap > Duration::from_millis(100), "the first event waited for the second: {gap:?}");
}
