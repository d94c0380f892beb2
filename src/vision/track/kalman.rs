//! Predicts boxes: a Kalman filter for the centre, with a speed, and for half of the width and
//! height, without.
//!
//! Noise is relative to the area of the box: that of DL Streamer's `KalmanFilterNoOpencv`, in
//! pixels.

use super::Bounds;

/// The variance of a step, per area: of centres and their speeds, and of sizes.
const CENTRE_NOISE: f64 = 0.001 / 4.0;
const SIZE_NOISE: f64 = 0.002 / 4.0;
/// The variance of a detection, per area.
const DETECTION_NOISE: f64 = 1.0 / 2048.0;
/// An area for boxes that have next to none, in pixels.
const LEAST_AREA: f64 = 1.0;
/// What a speed moves in a frame: 33 ms, in units of 1/8 s.
const STEP: f64 = 0.033 * 8.0;

#[derive(Clone, Debug)]
pub(super) struct Filter {
    x: Line,
    y: Line,
    half_width: Line,
    half_height: Line,
}

/// A number with a speed.
#[derive(Clone, Debug)]
struct Line {
    value: f64,
    speed: f64,
    /// Covariance of value and speed.
    covariance: [[f64; 2]; 2],
    noise: [f64; 2],
    /// 0 for a number without speed.
    step: f64,
}

impl Filter {
    pub(super) fn new(bounds: Bounds) -> Filter {
        let [x, y] = bounds.centre();
        let area = area(&bounds);
        let line = |value, noise, step| Line { value, speed: 0.0, covariance: [[0.0; 2]; 2], noise, step };
        let (of_centre, of_size) = ([area * CENTRE_NOISE; 2], [area * SIZE_NOISE, 0.0]);
        Filter {
            x: line(x, of_centre, STEP),
            y: line(y, of_centre, STEP),
            half_width: line(bounds.width / 2.0, of_size, 0.0),
            half_height: line(bounds.height / 2.0, of_size, 0.0),
        }
    }

    /// For a box that is found again and has moved since it was at `before`.
    pub(super) fn moving(bounds: Bounds, before: Bounds) -> Filter {
        let mut filter = Filter::new(bounds);
        let next = Bounds {
            x: bounds.x + (bounds.x - before.x) / 3.0,
            y: bounds.y + (bounds.y - before.y) / 3.0,
            ..bounds
        };
        filter.predict();
        filter.correct(next);
        filter
    }

    /// The box in the next frame.
    pub(super) fn predict(&mut self) -> Bounds {
        for line in self.lines() {
            line.predict();
        }
        self.bounds()
    }

    /// The box, now that it was detected here.
    pub(super) fn correct(&mut self, bounds: Bounds) -> Bounds {
        let area = area(&bounds);
        let [x, y] = bounds.centre();
        let measured = [x, y, bounds.width / 2.0, bounds.height / 2.0];
        for ((line, measured), noise) in
            self.lines().into_iter().zip(measured).zip([CENTRE_NOISE, CENTRE_NOISE, SIZE_NOISE, SIZE_NOISE])
        {
            line.noise = [area * noise, if line.step == 0.0 { 0.0 } else { area * noise }];
            line.correct(measured, area * DETECTION_NOISE);
        }
        self.bounds()
    }

    fn lines(&mut self) -> [&mut Line; 4] {
        [&mut self.x, &mut self.y, &mut self.half_width, &mut self.half_height]
    }

    fn bounds(&self) -> Bounds {
        let (half_width, half_height) = (self.half_width.value.max(0.0), self.half_height.value.max(0.0));
        Bounds {
            x: self.x.value - half_width,
            y: self.y.value - half_height,
            width: 2.0 * half_width,
            height: 2.0 * half_height,
        }
    }
}

fn area(bounds: &Bounds) -> f64 {
    (bounds.width * bounds.height).max(LEAST_AREA)
}

impl Line {
    fn predict(&mut self) {
        self.value += self.step * self.speed;
        let [[a, b], [c, d]] = self.covariance;
        // As there: the speed counts whole in the covariance.
        self.covariance = [[a + b + c + d + self.noise[0], b + d], [c + d, d + self.noise[1]]];
    }

    fn correct(&mut self, measured: f64, variance: f64) {
        let [[a, b], [c, d]] = self.covariance;
        let sum = a + variance;
        let (of_value, of_speed) = (a / sum, c / sum);
        let rest = measured - self.value;
        self.value += of_value * rest;
        self.speed += of_speed * rest;
        self.covariance =
            [[(1.0 - of_value) * a, (1.0 - of_value) * b], [c - of_speed * a, d - of_speed * b]];
    }
}
