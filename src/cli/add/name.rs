//! The name of a new camera that got none.

use std::collections::HashSet;

use crate::config::append::CameraList;
use crate::model::Project;
use crate::name::Slug;
use crate::text::is_unseen;

/// A free name: that of its file, else the next number of the other cameras.
pub(super) fn free(list: &CameraList<'_>, project: Option<&Project>, stem: Option<&str>) -> String {
    let names: Vec<&str> = list.names().collect();
    let tasks = project.into_iter().flat_map(|project| &project.tasks).map(|task| task.name.as_str());
    let taken: HashSet<Slug> = names.iter().copied().chain(tasks).filter_map(Slug::of).collect();
    pick(&names, &taken, stem)
}

fn pick(names: &[&str], taken: &HashSet<Slug>, stem: Option<&str>) -> String {
    let is_free = |name: &String| Slug::of(name).is_some_and(|slug| !taken.contains(&slug));
    let stem = stem.map(str::trim).filter(|stem| is_name(stem));
    if let Some(stem) = stem {
        let numbered = (2..).map(|n| format!("{stem}-{n}"));
        return [stem.to_owned()].into_iter().chain(numbered).find(is_free).expect(ENDLESS);
    }
    // `till-09` follows `till-08`, if most names are like that.
    let parts = |name: &str| {
        let begin = name.trim_end_matches(|c: char| c.is_ascii_digit());
        let digits = name[begin.len()..].to_owned();
        let n: u64 = digits.parse().ok().filter(|n| *n < u64::MAX / 2)?;
        Some((begin.to_owned(), digits.len(), n))
    };
    let numbered: Vec<_> = names.iter().filter_map(|name| parts(name)).collect();
    let alike = |begin: &str| numbered.iter().filter(|(other, ..)| other == begin).count();
    let usual = numbered.iter().rev().find(|(begin, ..)| names.len() < 2 * alike(begin));
    let (begin, width, next) = match usual {
        Some((begin, width, _)) => {
            let same = numbered.iter().filter(|(other, ..)| other == begin);
            (begin.as_str(), *width, same.map(|(.., n)| n).max().unwrap_or(&0) + 1)
        }
        None => ("camera-", 1, names.len() as u64 + 1),
    };
    (next..).map(|n| format!("{begin}{n:0width$}")).find(is_free).expect(ENDLESS)
}

const ENDLESS: &str = "there are endless numbers";

/// Whether a camera may have this name, also with a number.
fn is_name(name: &str) -> bool {
    let is_short = name.chars().count() + 4 <= Slug::MAX;
    let is_plain = !name.contains(is_unseen) && !name.starts_with('-');
    is_short && is_plain && Slug::of(name).is_some_and(|slug| !slug.is_reserved())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(names: &[&str], stem: Option<&str>, expected: &str) {
        let taken = names.iter().copied().filter_map(Slug::of).collect();
        assert_eq!(pick(names, &taken, stem), expected);
    }

    #[test]
    fn a_video_gives_its_name() {
        check(&[], Some("till"), "till");
        check(&["till"], Some("till"), "till-2");
        check(&["my till", "my till-2"], Some("my_till"), "my_till-3");
        check(&[], Some("Kasse 1.links"), "Kasse 1.links");
        // Labels have these words.
        check(&["till-1"], Some("lane"), "till-2");
        check(&[], Some(&"x".repeat(100)), "camera-1");
        check(&[], Some("-x"), "camera-1");
    }

    #[test]
    fn a_stream_gets_the_next_number() {
        check(&[], None, "camera-1");
        check(&["camera-1", "camera-7", "camera-2"], None, "camera-8");
        check(&["door", "cam08", "cam09"], None, "cam10");
        check(&["till_2", "till_09"], None, "till_10");
        check(&["till", "till-2", "far"], None, "camera-4");
        check(&["front", "back"], None, "camera-3");
        check(&["99999999999999999999999"], None, "camera-2");
        check(&["camera-2", "front"], None, "camera-3");
        check(&["camera-3", "front"], None, "camera-4");
    }
}
