//! Ten GiB in one answer: the memory of whoever passes it on must not grow with it.
use super::{HOST, Metric, Scenario, Slice, one_name};
use crate::bodies::{Kind, body};
use crate::h1::Connection;
use crate::stage::Stage;
use crate::way::Who;
use anyhow::{Context, Result, bail};
use std::time::{Duration, Instant};

const MEBIBYTES: u32 = 10 * 1024;
/// How often memory is looked at, in MiB.
const LOOK: usize = 64;

/// How long it may take: 10 MiB/s.
const PATIENCE: Duration = Duration::from_secs(1024);

/// A stream of ten GiB.
pub(super) struct Long;

impl Scenario for Long {
    fn id(&self) -> &'static str {
        "stream"
    }

    fn title(&self) -> &'static str {
        "10 GiB in one answer"
    }

    fn metrics(&self) -> &'static [Metric] {
        const {
            &[
                Metric::rate("MiB/s"),
                Metric::time("resident, most, MiB", 1),
                Metric::time("growth after 1 GiB, MiB", 1),
            ]
        }
    }

    fn unit(&self) -> &'static str {
        "MiB"
    }

    fn is_optional(&self) -> bool {
        true
    }

    fn takes(&self, who: Who) -> bool {
        !matches!(who, Who::FloorResuming | Who::Direct)
    }

    fn rounds(&self, _: usize) -> usize {
        1
    }

    fn start(&mut self, _: &Stage, _: Who) -> Result<()> {
        Ok(())
    }

    fn slice(&mut self, stage: &Stage, who: Who, _round: usize) -> Result<Slice> {
        let way = stage.start(who, &one_name())?;
        let process = way.process.as_ref().context("nobody's process")?;
        let one = body(Kind::Binary, 1 << 20);
        let request = format!("{}\r\n", way.head("GET", HOST, &format!("/stream/{MEBIBYTES}")));
        let (mut at, mut resident) = (0_usize, Vec::new());
        let started = Instant::now();
        stage.drive_for(PATIENCE, async {
            let mut connection = Connection::new(way.connect(HOST).await?);
            connection.send(request.as_bytes()).await?;
            connection
                .read(|mut data| {
                    while !data.is_empty() {
                        let from = at % one.len();
                        let here = data.len().min(one.len() - from);
                        if data[..here] != one[from..from + here] {
                            bail!("the body differs from what it must be near {at}");
                        }
                        at += here;
                        data = &data[here..];
                        if at.is_multiple_of(LOOK << 20) {
                            resident.push(mebibytes(process.memory()?));
                        }
                    }
                    Ok(())
                })
                .await
        })?;
        let lasted = started.elapsed();
        let meant = f64::from(MEBIBYTES);
        if at != usize::try_from(MEBIBYTES)? << 20 {
            bail!("the body ended at {at}");
        }
        let most = resident.iter().copied().fold(0.0, f64::max);
        let early = resident.get(1024 / LOOK - 1).copied().unwrap_or(most);
        let late = resident.last().copied().unwrap_or(most);
        let cpu = way.cpu()?.map(|spent| spent.as_secs_f64() * 1e6 / meant);
        Ok(Slice { figures: vec![meant / lasted.as_secs_f64(), most, late - early], cpu })
    }
}

fn mebibytes(kibibytes: u64) -> f64 {
    f64::from(u32::try_from(kibibytes).unwrap_or(u32::MAX)) / 1024.0
}
