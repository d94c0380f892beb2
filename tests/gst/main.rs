//! Real pipelines: the worker alone, and `lp` with its workers in throw-away
//! projects.

mod accounts;
mod add;
mod agreement;
mod alive;
mod as_it_is;
mod bench;
mod camera;
mod check;
mod clips;
mod collectors;
mod drawn;
mod energy;
mod faults;
mod files;
mod found;
#[cfg(feature = "rtsp")]
mod impaired;
mod incremental;
mod lane;
#[cfg(feature = "rtsp")]
mod lp_serve;
mod models;
mod native;
mod odd_cameras;
#[cfg(feature = "rtsp")]
mod outages;
mod own;
mod own_models;
mod passes;
mod persons;
mod pictures;
mod project;
mod reconnects;
mod recorded;
#[expect(dead_code, reason = "the campaign uses the rest")]
mod reference;
mod removal;
mod replay;
mod reshaped;
mod rtsp;
mod scenes;
mod scripts;
#[cfg(feature = "rtsp")]
mod secure;
#[cfg(feature = "rtsp")]
mod serve;
#[cfg(feature = "rtsp")]
mod served_runs;
mod share;
mod soak;
mod source;
mod stock;
mod support;
mod tools;
mod trace;
mod videos;
#[cfg(feature = "rtsp")]
mod viewers;
mod worker;
#[expect(dead_code, reason = "other tests use the rest")]
#[path = "../e2e/support.rs"]
mod workspace;
