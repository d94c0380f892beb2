//! The power of the machine while it does nothing, to compare that of a run with.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// What collectors measured before a run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct IdlePower {
    /// For how long, in milliseconds.
    pub over_ms: u64,
    /// The mean power of each series in watts: `power.package_0`.
    pub watts: BTreeMap<String, f64>,
}
