//! The real `lp` on throw-away projects. Nothing here needs GStreamer: tests
//! that play pipelines are in `tests/gst`.

mod build;
mod by_file;
mod cache;
mod check;
mod choose;
mod ci;
mod config;
mod doctor;
mod download;
mod explain;
mod faults;
mod flags;
mod fresh;
mod golden;
mod graph;
mod import;
mod init;
mod inputs;
mod launch;
mod links;
mod list;
mod locks;
mod models;
mod names;
mod outputs;
mod quick;
mod scripts;
mod seeing;
mod show;
mod stdout;
mod support;
mod tasks;
mod together;
mod verdict;
mod workers;
