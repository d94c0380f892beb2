//! Access to the operating system: the only room that opens files, takes locks,
//! starts processes, speaks HTTP and RTSP, reads the environment and clocks, and
//! handles signals.
//!
//! Everything above it works with values of this room, so that one place
//! decides how errors name a path and how a file is replaced.

pub mod affinity;
pub mod archive;
pub mod browser;
pub mod clock;
pub mod device;
pub mod display;
pub mod env;
pub mod failpoint;
pub mod fs;
pub mod git;
pub mod http;
pub mod links;
pub mod lock;
pub mod memory_file;
pub mod netrc;
pub mod nvml;
pub mod onnx;
pub mod pipes;
pub mod proc;
pub mod process;
pub mod relay;
pub mod rtsp;
pub mod signal;
pub mod terminal;
pub mod threads;
pub mod tree;
pub mod usage;
pub mod web;
pub mod within;

pub use std::net::{IpAddr, SocketAddr};
