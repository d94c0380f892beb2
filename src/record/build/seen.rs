//! The sightings of a stream's detectors, as its events come in.

use std::collections::BTreeMap;

use crate::pipeline::detect::{Sight, sight};
use crate::record::seen::{ClipPlace, Detector, MAX_SPANS, SightingSpan, StepSightings};
use crate::worker::protocol::{Place, Regions};

/// Sightings of the same that are at most this far apart are one interval.
const PAUSE_US: u64 = 1_000_000;

/// Intervals that are looked through for one to extend: codes that are visible together.
const RECENT: usize = 32;

/// The detectors of a stream. All times are absolute microseconds of its worker.
#[derive(Clone, Debug, Default)]
pub(super) struct Detectors {
    steps: Vec<StepSightings>,
    /// Detector and time of each sighting before the window was known.
    early: Vec<(usize, u64)>,
    /// Likewise, of each frame that a detector looked at.
    early_inferred: Vec<(usize, u64)>,
    /// Likewise, of so many findings of a label.
    early_labels: Vec<(usize, u64, String, u32)>,
    place: Option<Place>,
    pass_ns: Option<u64>,
}

impl Detectors {
    /// Detectors in the order of the pipeline.
    pub(super) fn new(detectors: &[Detector]) -> Detectors {
        let step = |Detector { element, kind, model }: &Detector| StepSightings {
            element: element.clone(),
            kind: kind.clone(),
            model: model.clone(),
            ..StepSightings::default()
        };
        Detectors { steps: detectors.iter().map(step).collect(), ..Detectors::default() }
    }

    /// Takes in a message of an element. `counts` tells whether a time is in the window;
    /// `None` if that is not known yet.
    pub(super) fn message(
        &mut self,
        element: &str,
        (message, fields): (&str, &BTreeMap<String, String>),
        (at_us, clip_ms): (u64, Option<u64>),
        counts: &dyn Fn(u64) -> Option<bool>,
    ) {
        let Some(index) = self.steps.iter().position(|step| step.element == element) else { return };
        let step = &mut self.steps[index];
        match sight(&step.kind, message, fields) {
            None => {}
            Some(Sight::End) => {
                if let Some(open) = step.spans.iter_mut().rev().find(|span| span.to_us.is_none()) {
                    open.to_us = Some(at_us);
                    // A motion may go on beyond the end of the clip.
                    open.clip_ms = open.clip_ms.zip(clip_ms).map(|((from, _), to)| (from, to));
                }
            }
            Some(Sight::Begin) => {
                step.add(SightingSpan {
                    from_us: at_us,
                    to_us: None,
                    clip_ms: clip_ms.map(|clip_ms| (clip_ms, clip_ms)),
                    code: None,
                });
                self.saw(index, (at_us, clip_ms), counts);
            }
            Some(Sight::Once(code)) => {
                step.once((at_us, clip_ms), code);
                self.saw(index, (at_us, clip_ms), counts);
            }
        }
    }

    /// Takes in frames with regions.
    pub(super) fn regions(&mut self, regions: &Regions, counts: &dyn Fn(u64) -> Option<bool>) {
        let Some(index) = self.steps.iter().position(|step| step.element == regions.element) else { return };
        for (n, at_us) in regions.at_us.iter().enumerate() {
            let clip_ms = regions.clip_ns.get(n).map(|ns| ns / 1_000_000);
            self.steps[index].once((*at_us, clip_ms), None);
            self.saw(index, (*at_us, clip_ms), counts);
        }
        for at_us in &regions.inferred_us {
            match counts(*at_us) {
                Some(counts) => self.steps[index].inferred += u64::from(counts),
                None => self.early_inferred.push((index, *at_us)),
            }
        }
        for (label, found) in &regions.labels {
            for (at_us, n) in regions.at_us.iter().zip(found).filter(|(_, n)| **n > 0) {
                match counts(*at_us) {
                    Some(true) => self.found(index, label, *n),
                    Some(false) => {}
                    None => self.early_labels.push((index, *at_us, label.clone(), *n)),
                }
            }
        }
        regions.frames.iter().for_each(|frame| self.steps[index].boxes.add(frame));
    }

    fn found(&mut self, index: usize, label: &str, n: u32) {
        let labels = &mut self.steps[index].labels;
        match labels.get_mut(label) {
            Some(all) => *all += u64::from(n),
            None => drop(labels.insert(label.to_owned(), n.into())),
        }
    }

    fn saw(
        &mut self,
        index: usize,
        (at_us, clip_ms): (u64, Option<u64>),
        counts: &dyn Fn(u64) -> Option<bool>,
    ) {
        let step = &mut self.steps[index];
        (step.last_us, step.last_clip_ms) = (Some(at_us), clip_ms);
        match counts(at_us) {
            Some(counts) => step.events += u64::from(counts),
            None => self.early.push((index, at_us)),
        }
    }

    /// Takes in that the window is known.
    pub(super) fn settle(&mut self, counts: &dyn Fn(u64) -> Option<bool>) {
        for (index, at_us) in std::mem::take(&mut self.early) {
            self.steps[index].events += u64::from(counts(at_us) == Some(true));
        }
        for (index, at_us) in std::mem::take(&mut self.early_inferred) {
            self.steps[index].inferred += u64::from(counts(at_us) == Some(true));
        }
        for (index, at_us, label, n) in std::mem::take(&mut self.early_labels) {
            if counts(at_us) == Some(true) {
                self.found(index, &label, n);
            }
        }
    }

    /// Takes in the place of a frame; the first one in the window is kept.
    pub(super) fn place(&mut self, place: Place, is_in_window: bool) {
        self.pass_ns = place.pass_ns.or(self.pass_ns);
        if is_in_window {
            self.place.get_or_insert(place);
        }
    }

    /// The same detectors, of which nothing was seen yet but what has begun and not ended.
    pub(super) fn go_on(self) -> Detectors {
        let open = |step: StepSightings| StepSightings {
            spans: step.spans.into_iter().filter(|span| span.to_us.is_none()).collect(),
            element: step.element,
            kind: step.kind,
            model: step.model,
            ..StepSightings::default()
        };
        let steps = self.steps.into_iter().map(open).collect();
        Detectors { steps, pass_ns: self.pass_ns, ..Detectors::default() }
    }

    /// The sightings and the place, by times since the record's origin.
    pub(super) fn finish(mut self, since: &dyn Fn(u64) -> u64) -> (Vec<StepSightings>, Option<ClipPlace>) {
        for step in &mut self.steps {
            step.last_us = step.last_us.map(since);
            for span in &mut step.spans {
                span.from_us = since(span.from_us);
                span.to_us = span.to_us.map(since);
            }
        }
        let ms = |ns: u64| ns / 1_000_000;
        let place = self.place.map(|place| ClipPlace {
            at_us: since(place.at_us),
            clip_ms: ms(place.clip_ns),
            pass_ms: place.pass_ns.or(self.pass_ns).map(ms),
        });
        (self.steps, place)
    }
}

impl StepSightings {
    /// Takes in one sighting, which may go on with an earlier one.
    fn once(&mut self, (at_us, clip_ms): (u64, Option<u64>), code: Option<String>) {
        let goes_on = |span: &&mut SightingSpan| {
            let is_near = span.to_us.is_none_or(|to_us| at_us <= to_us.saturating_add(PAUSE_US));
            let is_later = span.clip_ms.zip(clip_ms).is_none_or(|((_, last), now)| last <= now);
            span.code == code && is_near && is_later
        };
        let mut recent = self.spans.iter_mut().rev().take(RECENT);
        match recent.find(goes_on) {
            Some(span) => {
                span.to_us = span.to_us.map(|to_us| to_us.max(at_us));
                span.clip_ms = span.clip_ms.zip(clip_ms).map(|((from, _), to)| (from, to));
            }
            None => {
                let clip_ms = clip_ms.map(|clip_ms| (clip_ms, clip_ms));
                self.add(SightingSpan { from_us: at_us, to_us: Some(at_us), clip_ms, code });
            }
        }
    }

    fn add(&mut self, span: SightingSpan) {
        if self.spans.len() < MAX_SPANS {
            self.spans.push(span);
        } else {
            self.spans_left_out += 1;
        }
    }
}
