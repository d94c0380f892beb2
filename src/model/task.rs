//! `[[task]]` and `[asset.NAME]`: the additions of users to the graph.

use std::collections::BTreeMap;
use std::time::Duration;

use super::package::AssetSource;
use crate::diag::Place;
use crate::name::Slug;
use crate::os::http::{PinKey, Pins};
use crate::path::ProjectPath;

/// `[asset.NAME]`: pins, mirrors, what its requests carry, and files in its place.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AssetPin {
    /// Tried in order, before the URL that a camera names.
    pub urls: Vec<String>,
    pub pins: Pins,
    /// Where each of the pins is written.
    pub pin_places: BTreeMap<PinKey, Place>,
    /// Headers of its requests; a value may be `${NAME}`.
    pub headers: BTreeMap<String, String>,
    /// The name of the variable with the token of its requests.
    pub token: Option<String>,
    /// The file of the user's to play, relative to the project or absolute, with its
    /// place.
    pub path: Option<(String, Place)>,
    /// Where the file comes from instead of the camera's URL, with its place. Never beside `path`.
    pub source: Option<(AssetSource, Place)>,
    /// The table in its file.
    pub place: Place,
}

/// `[[task]]`.
#[derive(Clone, Debug, PartialEq)]
pub struct UserTask {
    /// As written.
    pub name: String,
    pub slug: Slug,
    /// Program and arguments; not empty.
    pub command: Vec<String>,
    /// Files or directories, with the place of each.
    pub inputs: Vec<(ProjectPath, Place)>,
    /// Files or directories, with the place of each.
    pub outputs: Vec<(ProjectPath, Place)>,
    /// Labels or task names that come first, with the place of each.
    pub after: Vec<(String, Place)>,
    /// Variables set for the command.
    pub env: BTreeMap<String, String>,
    /// Variables taken from the caller.
    pub pass: Vec<String>,
    /// The pool that it takes a slot of.
    pub pool: String,
    /// `None` = no limit.
    pub timeout: Option<Duration>,
    /// Attempts after the first.
    pub retries: u32,
    /// `false` = always run.
    pub cache: bool,
    /// The table in its file.
    pub place: Place,
}

impl UserTask {
    /// The places of its inputs, outputs and `after`, in this order.
    pub fn entry_places(&self) -> impl Iterator<Item = Place> {
        let paths = self.inputs.iter().chain(&self.outputs).map(|(_, place)| *place);
        paths.chain(self.after.iter().map(|(_, place)| *place))
    }
}
