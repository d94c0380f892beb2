//! What scripts print: no line makes its reader panic, a figure is finite, and
//! how the text comes in pieces changes nothing.
#![no_main]

use libfuzzer_sys::fuzz_target;
use lp::record::foreign::{Figure, Lines, MAX_LINE, figure};

fuzz_target!(|bytes: &[u8]| {
    let mut whole = Vec::new();
    let mut lines = Lines::default();
    lines.push(bytes, |line| whole.push(line.to_vec()));
    lines.finish(|line| whole.push(line.to_vec()));

    let mut pieces = Vec::new();
    let mut lines = Lines::default();
    for piece in bytes.chunks(usize::from(bytes.first().copied().unwrap_or(0)) + 1) {
        lines.push(piece, |line| pieces.push(line.to_vec()));
    }
    lines.finish(|line| pieces.push(line.to_vec()));
    assert_eq!(whole, pieces);

    for line in &whole {
        assert!(line.len() <= MAX_LINE && !line.contains(&b'\n'));
        match figure(line) {
            Some(Figure::Rates { over_us, fps, .. }) => {
                assert!(over_us > 0 && !fps.is_empty());
                assert!(fps.iter().all(|fps| fps.is_finite() && *fps >= 0.0));
            }
            Some(Figure::Own { name, fps, .. }) => {
                assert!(fps.is_finite() && fps >= 0.0 && name.is_none_or(|name| !name.is_empty()));
            }
            Some(Figure::Fault(why)) => assert!(!why.is_empty()),
            Some(Figure::Counter { element } | Figure::Count { element, .. }) => assert!(!element.is_empty()),
            Some(Figure::Latency { .. } | Figure::LatencyInterval { .. }) | None => {}
        }
    }
});
