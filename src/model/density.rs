//! `[density]`: how many lanes are searched for, and how.

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// The settings of a search for the density.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Density {
    /// What is counted.
    pub unit: Unit,
    /// How sure the answer must be, from 0.5 to 1.
    pub confidence: f64,
    /// The most copies that are tried, at least 1.
    pub max: u32,
    /// How long the search may take.
    pub budget: Duration,
    /// Whether a number is tried for which there may be too little memory.
    pub allow_oom: bool,
    /// Whether it is searched for what limits the lanes.
    pub limiter: bool,
}

impl Default for Density {
    fn default() -> Density {
        Density {
            unit: Unit::Lane,
            confidence: 0.95,
            max: 1000,
            budget: Duration::from_secs(30 * 60),
            allow_oom: false,
            limiter: true,
        }
    }
}

/// What is counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Unit {
    /// Copies of all cameras that are named.
    #[default]
    Lane,
    /// Copies of one camera, the others once beside it.
    Camera,
}
