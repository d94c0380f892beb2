//! The real `lp` on throw-away projects. Nothing here needs GStreamer: tests
//! that play pipelines are in `tests/gst`.

mod build;
mod check;
mod download;
mod explain;
mod faults;
mod graph;
mod init;
mod seeing;
mod support;
mod tasks;
