//! The two images, and lanes in their containers, with the engine of this machine.
//!
//! Where no engine can run, each test says so on stderr and ends;
//! `LP_REQUIRE_CONTAINERS=1` makes that a failure.

mod compose;
mod debian13;
mod images;
mod package;
#[expect(dead_code, reason = "other tests use the rest")]
#[path = "../gst/project.rs"]
mod project;
mod support;
mod worker;
#[expect(dead_code, reason = "other tests use the rest")]
#[path = "../e2e/support.rs"]
mod workspace;
