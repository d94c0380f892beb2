//! Which detection is which track: the assignment of least total cost.

use super::{Bounds, Seen, Track};

/// What a detection without a track costs.
const ALONE: f64 = 1.0;
/// A pair that cannot be.
const NEVER: f64 = 1000.0;

/// Scales of the distances of centres and shapes; of colours, which are not compared, only the
/// constant.
const CENTRE_SCALE: f64 = 0.5;
const SHAPE_SCALE: f64 = 0.75;
const COLOUR_SCALE: f64 = 0.25;
/// The part of the scales that grows with the frames since the last detection.
const GROWS: f64 = 0.05;

/// For each track, the number of its detection.
pub(super) fn assign(
    boxes: &[Bounds],
    seen: &[Seen],
    tracks: &[Track],
    per_class: bool,
) -> Vec<Option<usize>> {
    let mut taken = vec![None; tracks.len()];
    // A column for each track, and one for each detection to be alone.
    let n_columns = tracks.len() + boxes.len();
    let mut costs = vec![NEVER; boxes.len() * n_columns];
    for (detection, (bounds, seen)) in boxes.iter().zip(seen).enumerate() {
        let row = &mut costs[detection * n_columns..][..n_columns];
        for (cost, track) in row.iter_mut().zip(tracks) {
            if !per_class || seen.class == track.class {
                *cost = pair_cost(bounds, track).min(NEVER);
            }
        }
        row[tracks.len() + detection] = ALONE;
    }
    for (detection, column) in cheapest(&costs, boxes.len(), n_columns).into_iter().enumerate() {
        if let Some(taken) = taken.get_mut(column) {
            *taken = Some(detection);
        }
    }
    taken
}

fn pair_cost(bounds: &Bounds, track: &Track) -> f64 {
    let grown = 1.0 - GROWS + GROWS * f64::from(track.since);
    let (centre_scale, shape_scale) = (CENTRE_SCALE * grown, SHAPE_SCALE * grown);
    let cost = (COLOUR_SCALE * centre_scale * shape_scale).ln()
        + centre_distance(bounds, &track.bounds) / centre_scale
        + shape_distance(bounds, &track.bounds) / shape_scale;
    if cost.is_nan() { NEVER } else { cost }
}

/// In mean sides of the smaller box.
fn centre_distance(a: &Bounds, b: &Bounds) -> f64 {
    let side = |bounds: &Bounds| (bounds.width + bounds.height) / 2.0;
    let ([ax, ay], [bx, by]) = (a.centre(), b.centre());
    (ax - bx).hypot(ay - by) / side(a).min(side(b))
}

/// In sides of the smaller box.
fn shape_distance(a: &Bounds, b: &Bounds) -> f64 {
    let smaller = if b.width + b.height < a.width + a.height { b } else { a };
    ((a.width - b.width) / smaller.width).hypot((a.height - b.height) / smaller.height)
}

/// The column of each row such that no two rows share one and the sum of costs is least; there are
/// at least as many columns as rows.
///
/// The Hungarian method with potentials: rows are added one by one, each by the cheapest path of
/// changes (Kuhn 1955, Munkres 1957; in the form of Jonker and Volgenant 1987). Columns are
/// numbered from 1, and 0 is the row that is being added.
fn cheapest(costs: &[f64], n_rows: usize, n_columns: usize) -> Vec<usize> {
    let mut of_row = vec![0.0; n_rows + 1];
    let mut of_column = vec![0.0; n_columns + 1];
    let mut row_of = vec![0; n_columns + 1];
    for row in 1..=n_rows {
        row_of[0] = row;
        let mut column = 0;
        let mut least = vec![f64::INFINITY; n_columns + 1];
        let mut came_from = vec![0; n_columns + 1];
        let mut is_done = vec![false; n_columns + 1];
        while row_of[column] != 0 {
            is_done[column] = true;
            let current = row_of[column];
            let (mut step, mut next) = (f64::INFINITY, 0);
            for other in 1..=n_columns {
                if is_done[other] {
                    continue;
                }
                let cost = costs[(current - 1) * n_columns + other - 1] - of_row[current] - of_column[other];
                if cost < least[other] {
                    least[other] = cost;
                    came_from[other] = column;
                }
                if least[other] < step {
                    step = least[other];
                    next = other;
                }
            }
            for other in 0..=n_columns {
                if is_done[other] {
                    of_row[row_of[other]] += step;
                    of_column[other] -= step;
                } else {
                    least[other] -= step;
                }
            }
            column = next;
        }
        while column != 0 {
            row_of[column] = row_of[came_from[column]];
            column = came_from[column];
        }
    }
    let mut columns = vec![0; n_rows];
    for (column, row) in row_of.iter().enumerate().skip(1) {
        if *row != 0 {
            columns[row - 1] = column - 1;
        }
    }
    columns
}

#[cfg(test)]
mod tests {
    use super::cheapest;
    use crate::vision::random::Random;

    /// The least cost by trying all.
    fn least(costs: &[f64], n_columns: usize, row: usize, used: &mut Vec<usize>) -> f64 {
        if (row + 1) * n_columns > costs.len() {
            return 0.0;
        }
        let mut best = f64::INFINITY;
        for column in 0..n_columns {
            if !used.contains(&column) {
                used.push(column);
                best = best.min(costs[row * n_columns + column] + least(costs, n_columns, row + 1, used));
                used.pop();
            }
        }
        best
    }

    #[test]
    fn no_assignment_costs_less() {
        let mut random = Random::new(7);
        assert!(cheapest(&[], 0, 3).is_empty());
        for (n_rows, n_columns) in [(1, 1), (1, 4), (3, 3), (4, 6), (5, 5)] {
            for _ in 0..20 {
                let costs: Vec<f64> =
                    (0..n_rows * n_columns).map(|_| (random.fraction() * 9.0).floor()).collect();
                let columns = cheapest(&costs, n_rows, n_columns);
                let mut distinct = columns.clone();
                distinct.sort_unstable();
                distinct.dedup();
                assert_eq!(distinct.len(), n_rows);
                let cost: f64 =
                    columns.iter().enumerate().map(|(row, column)| costs[row * n_columns + column]).sum();
                assert_eq!(cost, least(&costs, n_columns, 0, &mut Vec::new()), "{costs:?}");
            }
        }
    }
}
