//! TOML: whatever is wrong is reported, somewhere in the text.
#![no_main]

use libfuzzer_sys::fuzz_target;
use lp::config::toml::parse;
use lp::diag::codes;
use lp::diag::{Diagnostics, Sources};
use lp_fuzz::{check_diagnostics, check_tree};

fuzz_target!(|text: &str| {
    let mut sources = Sources::new();
    let file = sources.add("x.toml", text);
    let mut diagnostics = Diagnostics::new();
    let parsed = parse(file, text, &mut diagnostics);
    check_diagnostics(&diagnostics, &sources);
    check_tree(&parsed.tree, file, text);

    let is_value_fault = |code| code == codes::NUMBER_TOO_BIG || code == codes::NOT_FINITE;
    if parsed.is_whole {
        assert!(diagnostics.sorted().iter().all(|one| is_value_fault(one.code)));
    } else {
        assert!(diagnostics.has_errors());
    }

    let mut again = Diagnostics::new();
    assert_eq!(parsed.tree, parse(file, text, &mut again).tree);
    assert_eq!(diagnostics.sorted(), again.sorted());
});
