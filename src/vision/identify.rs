//! Who is who: numbers for persons by the distance of their embeddings.
//!
//! An *embedding* is what a model of re-identification gives for the picture of a face or of a person: a
//! vector that points the same way for pictures of one person. The *distance* of two is 1 less the cosine of
//! their angle, from 0 to 2; lengths say nothing. A person's direction is the mean of all that were taken for
//! theirs. In each frame the nearest go first, and two of one frame are never one person. Whoever is
//! farther from everybody than the limit is a new person.
//!
//! Not here: the inference, and pictures turned upright by the points of a face, which models of
//! faces were trained on: a face that looks aside may become a person of its own.

/// The default limit: that of Open Model Zoo's `face_recognition_demo` (`-t_id`), for
/// `face-reidentification-retail-0095`.
pub const DISTANCE: f32 = 0.3;

/// So many persons are kept; who comes after them gets no number.
const MOST: usize = 1000;

/// A person in a frame.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Person {
    /// From 1, in the order in which they were first seen.
    pub number: u32,
    /// Its distance from the person as it was known before this frame; 0 of a new one.
    pub distance: f32,
}

/// All persons that were seen.
#[derive(Clone, Debug)]
pub struct Persons {
    limit: f32,
    /// The sum of the directions of each.
    known: Vec<Vec<f64>>,
}

impl Persons {
    /// `limit`: the greatest distance of one person's embeddings.
    #[must_use]
    pub fn new(limit: f32) -> Persons {
        Persons { limit, known: Vec::new() }
    }

    /// The person of each embedding of a frame; `None` for one without a direction (zeros, or what is no
    /// number), and for a new person once there are 1,000.
    pub fn identify(&mut self, embeddings: &[Vec<f32>]) -> Vec<Option<Person>> {
        let directions: Vec<Option<Vec<f64>>> = embeddings
            .iter()
            .map(|values| direction(values.iter().map(|value| f64::from(*value)).collect()))
            .collect();
        let known: Vec<Option<Vec<f64>>> = self.known.iter().map(|sum| direction(sum.clone())).collect();
        let mut pairs = Vec::new();
        for (n, one) in directions.iter().enumerate() {
            for (person, other) in known.iter().enumerate() {
                if let (Some(one), Some(other)) = (one, other)
                    && one.len() == other.len()
                {
                    let cosine: f64 = one.iter().zip(other).map(|(a, b)| a * b).sum();
                    pairs.push(((1.0 - cosine).max(0.0) as f32, n, person));
                }
            }
        }
        pairs.retain(|(distance, ..)| *distance <= self.limit);
        pairs.sort_by(|(a, ..), (b, ..)| a.total_cmp(b));
        let mut found = vec![None; directions.len()];
        let mut is_taken = vec![false; self.known.len()];
        for (distance, n, person) in pairs {
            if found[n].is_none() && !is_taken[person] {
                is_taken[person] = true;
                found[n] = Some(Person { number: person as u32 + 1, distance });
            }
        }
        for (direction, found) in directions.into_iter().zip(&mut found) {
            match (direction, &found) {
                (Some(direction), Some(person)) => {
                    let sum = &mut self.known[person.number as usize - 1];
                    sum.iter_mut().zip(direction).for_each(|(sum, value)| *sum += value);
                }
                (Some(direction), None) if self.known.len() < MOST => {
                    self.known.push(direction);
                    *found = Some(Person { number: self.known.len() as u32, distance: 0.0 });
                }
                (_, _) => {}
            }
        }
        found
    }
}

/// The vector of length 1 that points the same way.
fn direction(mut values: Vec<f64>) -> Option<Vec<f64>> {
    let length = values.iter().map(|value| value * value).sum::<f64>().sqrt();
    if !(length.is_finite() && length > 0.0) {
        return None;
    }
    values.iter_mut().for_each(|value| *value /= length);
    Some(values)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::vision::random::Random;

    fn numbers(persons: &mut Persons, embeddings: &[Vec<f32>]) -> Vec<Option<u32>> {
        persons.identify(embeddings).into_iter().map(|found| found.map(|person| person.number)).collect()
    }

    #[test]
    fn a_person_keeps_the_number_whoever_comes_and_goes() {
        // Random directions in 256 dimensions are far from each other; noise of half their size is not.
        let mut random = Random::new(7);
        let mut vector =
            |size: f64| -> Vec<f32> { (0..256).map(|_| (size * (random.fraction() - 0.5)) as f32).collect() };
        let faces: Vec<Vec<f32>> = (0..20).map(|_| vector(1.0)).collect();
        let mut persons = Persons::new(DISTANCE);
        for frame in 0..200 {
            // Three of them, another order each time.
            let there = [frame % 20, (frame * 7 + 3) % 20, (frame * 3 + 11) % 20];
            let there: std::collections::BTreeSet<usize> = there.into();
            let seen: Vec<Vec<f32>> = there
                .iter()
                .map(|face| faces[*face].iter().zip(vector(0.5)).map(|(a, b)| (a + b) * 3.0).collect())
                .collect();
            let found = numbers(&mut persons, &seen);
            if frame >= 20 {
                assert!(found.iter().all(|number| number.unwrap() <= 20), "{frame}: {found:?}");
            }
            assert_eq!(found.iter().collect::<std::collections::BTreeSet<_>>().len(), found.len());
        }
        let each: Vec<_> =
            faces.iter().map(|face| numbers(&mut persons, std::slice::from_ref(face))[0]).collect();
        assert_eq!(each.iter().collect::<std::collections::BTreeSet<_>>().len(), 20, "{each:?}");
    }

    #[test]
    fn the_nearest_is_taken_first_and_nobody_is_there_twice() {
        let mut persons = Persons::new(0.3);
        assert_eq!(numbers(&mut persons, &[vec![1.0, 0.0]]), [Some(1)]);
        // Both are near the first: the nearer one is it.
        let both = persons.clone().identify(&[vec![1.0, 0.5], vec![5.0, 1.0]]);
        assert_eq!(both.iter().map(|one| one.unwrap().number).collect::<Vec<_>>(), [2, 1]);
        // 1 less the cosine of the angle.
        assert!((both[1].unwrap().distance - (1.0 - 5.0 / 26.0_f32.sqrt())).abs() < 1e-6);
        assert_eq!(both[0].unwrap().distance, 0.0);
        assert_eq!(numbers(&mut persons, &[vec![0.0, 3.0], vec![-1.0, 0.0]]), [Some(2), Some(3)]);
    }

    #[test]
    fn what_has_no_direction_is_nobody() {
        let mut persons = Persons::new(0.3);
        let odd = [vec![0.0, 0.0], vec![f32::NAN, 1.0], vec![f32::INFINITY, 1.0], Vec::new(), vec![1.0]];
        assert_eq!(numbers(&mut persons, &odd), [None, None, None, None, Some(1)]);
        // A vector of another length is another person.
        assert_eq!(numbers(&mut persons, &[vec![1.0, 0.0]]), [Some(2)]);
        let many: Vec<Vec<f32>> = (0..MOST).map(|n| vec![n as f32, 1.0, 0.0]).collect();
        let mut full = Persons::new(-1.0);
        assert_eq!(numbers(&mut full, &many).last(), Some(&Some(1000)));
        assert_eq!(numbers(&mut full, &[vec![1.0]]), [None]);
    }
}
