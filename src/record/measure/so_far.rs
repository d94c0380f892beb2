//! The verdict on a stream while it is still measured.

use super::judge::{Counts, judge};
use super::source::Demand;
use super::verdict::{HOLDS_FPS, Verdict};
use crate::record::build::StreamMoment;
use crate::record::{Pace, SourceKind};

/// The state of a stream so far, by the limits of its verdict. The verdict may differ:
/// it also looks at gaps and late frames, and knows the whole window.
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
pub fn so_far(moment: &StreamMoment<'_>, pace: Pace) -> Option<SoFar> {
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
    let verdict = judge(&counts).into_iter().map(|(verdict, _)| verdict).max();
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
