//! The real `lp` on throw-away projects. Nothing here needs GStreamer: tests
//! that play pipelines are in `tests/gst`.

mod build;
mod cache;
mod check;
mod ci;
mod download;
mod faults;
mod graph;
mod init;
mod quick;
mod support;
mod tasks;
