//! The verdict on a stream while it is still measured.

use super::deadline::far_below;
use super::judge::{Counts, judge};
use super::source::Demand;
use super::verdict::{HOLDS_FPS, Verdict};
use crate::model::{Deadline, Limits};
use crate::record::build::StreamMoment;
use crate::record::{Pace, SourceKind};

/// The state of a stream so far, by the limits of its verdict. The verdict may differ:
/// it also looks at gaps and very late frames, knows how sure a share is, and has the whole window.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum SoFar {
    OnTarget,
    /// It would be undecided now.
    Close,
    /// It does not get enough frames from its camera.
    SlowSource,
    /// It would not hold now.
    BelowTarget,
}

/// Where a stream stands; `None` if nothing is known yet, or if nothing is asked.
#[must_use]
pub fn so_far(moment: &StreamMoment<'_>, pace: Pace, limits: &Limits) -> Option<SoFar> {
    let fps = moment.fps.filter(|_| pace == Pace::Live)?;
    let configured = moment.member.configured.as_ref();
    let target = moment.member.target_fps;
    let asked = Demand {
        fps: target,
        of: configured.map_or(target, |configured| configured.fps.max(target)),
        is_of_source: false,
    };
    let seconds = moment.measured_us as f64 / 1e6;
    let (frames, dropped) = moment.frames.map_or((fps * seconds, 0), |(n, dropped)| (n as f64, dropped));
    let counts = Counts {
        fps,
        frames,
        dropped,
        offered: (frames as u64).saturating_add(dropped),
        taken_out: 0,
        window_us: moment.measured_us,
        asked: &asked,
    };
    let by_rate = judge(&counts).into_iter().map(|(verdict, _)| verdict).max();
    let verdict = by_rate.max(by_deadline(moment, limits));
    let is_camera = configured.is_some_and(|one| matches!(one.source, SourceKind::Rtsp | SourceKind::Usb));
    let delivered = moment.delivered.filter(|_| is_camera);
    let is_slow = delivered.is_some_and(|n| (n + 1) as f64 / seconds < HOLDS_FPS * asked.fps);
    Some(match verdict {
        None | Some(Verdict::Holds | Verdict::Decodes | Verdict::NotJudged) => SoFar::OnTarget,
        Some(_) if is_slow => SoFar::SlowSource,
        Some(Verdict::Undecided) => SoFar::Close,
        Some(Verdict::DoesNotHold | Verdict::FasterButWrong | Verdict::Invalid | Verdict::Failed) => {
            SoFar::BelowTarget
        }
    })
}

/// What the share of frames on time says, if it is counted by the deadline of the verdict.
fn by_deadline(moment: &StreamMoment<'_>, limits: &Limits) -> Option<Verdict> {
    let share = moment.on_time.filter(|_| limits.deadline == Deadline::Periods(1.0))?;
    match limits.on_time {
        limit if share < far_below(limit) => Some(Verdict::DoesNotHold),
        limit => (share < limit).then_some(Verdict::Undecided),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::build::Phase;
    use crate::record::fixture;

    #[test]
    fn late_frames_count_beside_the_rate() {
        let member = fixture::member("camera-1", "camera-1", 15.0, &[]);
        let at = |on_time: f64, limits: &Limits| {
            let moment = StreamMoment {
                stream: "a/1",
                member: &member,
                phase: Phase::Measuring,
                measured_us: 12_000_000,
                left_us: None,
                fps: Some(15.0),
                frames: Some((180, 0)),
                delivered: None,
                seconds: Vec::new(),
                on_time: Some(on_time),
                latency_us: None,
                worker_cpu: None,
            };
            so_far(&moment, Pace::Live, limits).unwrap()
        };
        let limits = Limits::default();
        assert_eq!(at(0.995, &limits), SoFar::OnTarget);
        assert_eq!(at(0.93, &limits), SoFar::Close);
        assert_eq!(at(0.88, &limits), SoFar::BelowTarget);
        // The share so far has the deadline of a period, not this one.
        let patient = Limits { deadline: Deadline::Millis(200), ..limits };
        assert_eq!(at(0.88, &patient), SoFar::OnTarget);
    }
}
