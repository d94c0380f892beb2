//! Numbers for objects that stay the same from frame to frame.
//!
//! Each *track* has a number (1, 2, ...), a filter that predicts its box, and a state. In each
//! frame, detections are assigned to the predicted boxes at the least total cost (the Hungarian
//! method), of which the cost is the distance of centres and the difference of shapes, both
//! relative to the smaller box: constants, states and the cost are those of DL Streamer's
//! `gvatrack` (`vas/components/ot`), so numbers count as there. A detection that no track takes
//! begins a new one, which has its number at once.
//!
//! `zero-term`, `zero-term-imageless`: every frame must have detections. A track is firm after 3
//! frames in a row, and a new one that misses a frame is forgotten; a firm one that is lost is kept
//! for 120 frames, of which only 87 count: after them even a box in the same place costs more than
//! a new number. With an `inference-interval` above 1 every inferred frame so begins new numbers:
//! `short-term-imageless` is meant for that. It predicts boxes in frames without detections, for 30
//! frames.
//!
//! Surprising: time is counted in frames of 33 ms whatever the rate is, as there. `zero-term`
//! compares no colours here, so it is `zero-term-imageless`. Filters compute with floating point
//! instead of 32-bit integers; boxes can differ by a pixel.
//!
//! Not here: `deep-sort`, which needs a model of its own.

mod assign;
mod kalman;

use kalman::Filter;

use super::prepare::Pixels;

/// The property `tracking-type`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tracking {
    /// `zero-term`, `zero-term-imageless`
    ZeroTerm,
    /// `short-term-imageless`
    ShortTerm,
}

impl Tracking {
    /// By the name in `tracking-type`; `None` for one that is not supported.
    #[must_use]
    pub fn named(name: &str) -> Option<Tracking> {
        match name {
            "zero-term" | "zero-term-imageless" => Some(Tracking::ZeroTerm),
            "short-term-imageless" => Some(Tracking::ShortTerm),
            _ => None,
        }
    }
}

/// The property `config` of `gvatrack`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Config {
    /// `max_num_objects`: no tracks beyond this many. Default: `None`, as many as there are.
    pub max_objects: Option<usize>,
    /// `tracking_per_class`: detections of another class are other objects. Default: true.
    pub per_class: bool,
}

impl Default for Config {
    fn default() -> Self {
        Config { max_objects: None, per_class: true }
    }
}

/// A detection to be numbered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Seen {
    pub bounds: Pixels,
    pub class: u32,
}

/// An object that is there although nothing was detected: only with `short-term-imageless`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Predicted {
    pub id: u32,
    pub bounds: Pixels,
    pub class: u32,
}

/// The numbers of a frame.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tracked {
    /// For each detection; `None` only beyond `max_objects`, and for a box mostly outside of the
    /// frame.
    pub ids: Vec<Option<u32>>,
    pub predicted: Vec<Predicted>,
}

/// Follows the objects of one stream.
#[derive(Clone, Debug)]
pub struct Tracker {
    tracking: Tracking,
    config: Config,
    frame: Bounds,
    next_id: u32,
    tracks: Vec<Track>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// Seen in so many frames in a row.
    New(u32),
    Firm,
    Lost,
    Dead,
}

#[derive(Clone, Debug)]
struct Track {
    id: u32,
    class: u32,
    state: State,
    filter: Filter,
    /// The box of this frame: detected, or predicted.
    bounds: Bounds,
    /// The same, smoothed.
    smooth: Bounds,
    /// The detection of this frame.
    detection: Option<usize>,
    /// Frames since the last detection.
    since: u32,
    /// Frames in which others were detected, but not this one.
    misses: u32,
    /// Frames since the state or the detection changed.
    age: u32,
}

/// A box by its upper left corner, in pixels.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Bounds {
    x: f64,
    y: f64,
    width: f64,
    height: f64,
}

/// Frames in a row after which a track is firm.
const FIRM_AFTER: u32 = 3;
/// Frames that a lost track keeps its number.
const ZERO_TERM_KEEPS: u32 = 120;
/// Misses after which a firm track is lost, and after which a lost one is dead.
const SHORT_TERM_LOST: u32 = 2;
const SHORT_TERM_DEAD: u32 = 20;
/// Frames without any detection for which a firm track is predicted, and a lost one is kept.
const SHORT_TERM_PREDICTS: u32 = 30;
const SHORT_TERM_KEEPS: u32 = 20;
/// The part of a box that must lie in the frame.
const INSIDE: f64 = 0.75;

impl Tracker {
    /// For frames of this size.
    #[must_use]
    pub fn new(tracking: Tracking, config: Config, size: super::Size) -> Tracker {
        let frame = Bounds { x: 0.0, y: 0.0, width: size.width as f64, height: size.height as f64 };
        Tracker { tracking, config, frame, next_id: 1, tracks: Vec::new() }
    }

    /// Numbers the detections of the next frame.
    pub fn track(&mut self, seen: &[Seen]) -> Tracked {
        let frame = self.frame;
        let boxes: Vec<Bounds> = seen.iter().map(|seen| Bounds::from(seen.bounds)).collect();
        for track in &mut self.tracks {
            track.bounds = track.filter.predict();
            track.smooth = track.bounds;
            track.since += 1;
            track.detection = None;
        }
        let taken = assign::assign(&boxes, seen, &self.tracks, self.config.per_class);
        for (track, detection) in self.tracks.iter_mut().zip(&taken) {
            match detection {
                Some(detection) => {
                    track.detected(*detection, seen[*detection].class, boxes[*detection].shared(&frame));
                }
                None if self.tracking == Tracking::ZeroTerm => track.missed_zero_term(),
                None if seen.is_empty() => track.predicted_short_term(),
                None => track.missed_short_term(),
            }
        }
        let mut ids = vec![None; seen.len()];
        for (detection, bounds) in boxes.iter().enumerate() {
            if taken.contains(&Some(detection))
                || self.config.max_objects.is_some_and(|most| self.tracks.len() >= most)
            {
                continue;
            }
            let bounds = bounds.shared(&frame);
            self.tracks.push(Track {
                id: self.next_id,
                class: seen[detection].class,
                state: State::New(1),
                filter: Filter::new(bounds),
                bounds,
                smooth: bounds,
                detection: Some(detection),
                since: 0,
                misses: 0,
                age: 0,
            });
            self.next_id += 1;
        }
        self.tracks.retain(|track| track.state != State::Dead && track.bounds.part_in(&frame) >= INSIDE);
        let mut predicted = Vec::new();
        for track in &mut self.tracks {
            track.age += 1;
            match track.detection {
                Some(detection) => ids[detection] = Some(track.id),
                None if track.state == State::Lost => {}
                None => predicted.extend(track.smooth.pixels(&frame).map(|bounds| Predicted {
                    id: track.id,
                    bounds,
                    class: track.class,
                })),
            }
        }
        Tracked { ids, predicted }
    }
}

impl Track {
    fn detected(&mut self, detection: usize, class: u32, bounds: Bounds) {
        self.detection = Some(detection);
        self.class = class;
        self.since = 0;
        self.misses = 0;
        self.age = 0;
        if self.state == State::Lost {
            self.filter = Filter::moving(bounds, self.bounds);
            self.smooth = bounds;
        } else {
            self.smooth = self.filter.correct(bounds);
        }
        self.bounds = bounds;
        self.state = match self.state {
            State::New(n) if n + 1 < FIRM_AFTER => State::New(n + 1),
            _ => State::Firm,
        };
    }

    fn missed_zero_term(&mut self) {
        match self.state {
            State::New(_) => self.state = State::Dead,
            State::Firm => self.lose(),
            State::Lost => {
                self.misses += 1;
                if self.misses >= ZERO_TERM_KEEPS {
                    self.state = State::Dead;
                }
            }
            State::Dead => {}
        }
    }

    fn missed_short_term(&mut self) {
        self.misses += 1;
        match self.state {
            // Seen once, and not when others were: a false alarm.
            State::New(1) => self.state = State::Dead,
            State::New(_) | State::Firm if self.misses > SHORT_TERM_LOST => self.lose(),
            State::Lost if self.misses > SHORT_TERM_DEAD => self.state = State::Dead,
            _ => {}
        }
    }

    /// In a frame in which nothing at all was detected.
    fn predicted_short_term(&mut self) {
        match self.state {
            State::Lost if self.age >= SHORT_TERM_KEEPS => self.state = State::Dead,
            State::Lost | State::Dead => {}
            State::New(_) | State::Firm if self.age > SHORT_TERM_PREDICTS => self.lose(),
            State::New(_) | State::Firm => {
                self.state = State::Firm;
                self.smooth = self.filter.correct(self.bounds);
            }
        }
    }

    fn lose(&mut self) {
        self.state = State::Lost;
        self.misses = 0;
        self.age = 0;
    }
}

impl Bounds {
    fn centre(&self) -> [f64; 2] {
        [self.x + self.width / 2.0, self.y + self.height / 2.0]
    }

    fn shared(&self, other: &Bounds) -> Bounds {
        let (x, y) = (self.x.max(other.x), self.y.max(other.y));
        let width = (self.x + self.width).min(other.x + other.width) - x;
        let height = (self.y + self.height).min(other.y + other.height) - y;
        Bounds { x, y, width: width.max(0.0), height: height.max(0.0) }
    }

    /// The part of its area that is in a frame; 0 of a box without an area.
    fn part_in(&self, frame: &Bounds) -> f64 {
        let (area, shared) = (self.width * self.height, self.shared(frame));
        if area > 0.0 { shared.width * shared.height / area } else { 0.0 }
    }

    /// Whole pixels, within a frame; `None` if there is nothing of it.
    fn pixels(&self, frame: &Bounds) -> Option<Pixels> {
        let Bounds { x, y, width, height } = self.shared(frame);
        (width >= 1.0 && height >= 1.0).then_some(Pixels {
            x: x as u32,
            y: y as u32,
            width: width as u32,
            height: height as u32,
        })
    }
}

impl From<Pixels> for Bounds {
    fn from(pixels: Pixels) -> Bounds {
        let Pixels { x, y, width, height } = pixels;
        Bounds { x: x.into(), y: y.into(), width: width.into(), height: height.into() }
    }
}

#[cfg(test)]
mod tests;
