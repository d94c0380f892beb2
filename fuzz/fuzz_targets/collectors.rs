//! What programs print that measure the machine: no bytes make their parser panic, values are finite, and
//! how the output comes in pieces changes nothing. The first byte says which parser, the second the pieces.
#![no_main]

use libfuzzer_sys::fuzz_target;
use lp::model::Format;
use lp::record::parsers::{Output, Reading, start};

fuzz_target!(|bytes: &[u8]| {
    let [which, length, output @ ..] = bytes else { return };
    let (_, format) = Format::ALL[usize::from(*which) % Format::ALL.len()];
    let read = |length: usize| {
        let mut found: Vec<Reading> = Vec::new();
        let mut take = |_: u64, reading: Reading| {
            assert!(reading.value.is_finite() && !reading.name.is_empty());
            found.push(reading);
        };
        let mut read = Output::new(start(format, &[]), Box::new(str::to_owned));
        output.chunks(length).for_each(|piece| read.push(1, piece, &mut take));
        output.chunks(length).for_each(|piece| read.aside(piece));
        let (fit, doubts) = read.finish(&mut take);
        assert_eq!(fit.values, found.len() as u64);
        assert!(fit.unread <= fit.lines + 1);
        (found, fit, doubts)
    };
    assert_eq!(read(usize::from(*length) + 1), read(usize::MAX));
});
