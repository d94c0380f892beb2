//! Recipes: the models that are known by name, and the origin of their files.
//!
//! Recipes are data: `configs/models/*.toml`, those of `lp` compiled in, those of a
//! project read with its config (`config::recipes`). The files of a model in one
//! precision come together, and so do those that all its precisions share
//! ([`FileGroup`]): each group is one task, which fetches the files or makes them out of weights.
//!
//! Not here: fetching files (`action::model`), making them (`action::convert`), and which of
//! them a step reads (`dialect`).

use std::collections::{BTreeMap, BTreeSet};

use super::conversion::Conversion;
use super::package::PackageSource;
use crate::diag::Place;
use crate::os::http::Pins;
use crate::path::ProjectPath;

/// A model that is known by name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Recipe {
    /// `face-detection-retail-0004`
    pub name: String,
    /// The precisions in which it exists, upper-cased, as the recipe orders them.
    pub precisions: Vec<String>,
    /// As SPDX names it: `Apache-2.0`.
    pub licence: Option<String>,
    /// A page about the model.
    pub origin: Option<String>,
    /// What its users should know, in one sentence.
    pub notes: Option<String>,
    /// How to get files that cannot be downloaded.
    pub by_hand: Option<String>,
    /// The files that can be downloaded.
    pub files: Vec<RecipeFile>,
    /// How files of further precisions are made.
    pub conversion: Option<Conversion>,
    /// Its name in the recipe; nowhere for those of `lp`.
    pub place: Place,
}

/// A file of a model. At least one digest is given.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecipeFile {
    /// Its place: `models/object_detection/m/FP16/m.xml`.
    pub path: ProjectPath,
    /// The precision that it belongs to; `None` if all share it.
    pub precision: Option<String>,
    /// Tried in order; empty if it comes from a package.
    pub urls: Vec<String>,
    /// The package that has it, if there is no URL.
    pub source: Option<PackageSource>,
    pub pins: Pins,
    /// If it differs from the model's.
    pub licence: Option<String>,
    /// Its path in the recipe; nowhere for those of `lp`.
    pub place: Place,
}

/// The files of a model that come together: those of one precision, or those that all
/// precisions share.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FileGroup<'r> {
    pub recipe: &'r Recipe,
    pub precision: Option<&'r str>,
    pub origination: Origination<'r>,
}

/// How the files of a group come into being.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origination<'r> {
    Fetched,
    Converted(&'r Conversion),
}

impl<'r> FileGroup<'r> {
    /// Its files that are fetched, in the order of the recipe.
    pub fn files(self) -> impl Iterator<Item = &'r RecipeFile> {
        let is_fetched = self.origination == Origination::Fetched;
        let files = self.recipe.files.iter().filter(move |_| is_fetched);
        files.filter(move |file| file.precision.as_deref() == self.precision)
    }

    /// The paths of all its files; not empty.
    #[must_use]
    pub fn paths(self) -> Vec<ProjectPath> {
        match (self.origination, self.precision) {
            (Origination::Converted(conversion), Some(precision)) => {
                conversion.tool.outputs(&self.recipe.name, precision).to_vec()
            }
            _ => self.files().map(|file| file.path.clone()).collect(),
        }
    }

    /// The files that a conversion reads: weights, and what it calibrates with.
    #[must_use]
    pub fn reads(self) -> Vec<ProjectPath> {
        let (Origination::Converted(conversion), Some(precision)) = (self.origination, self.precision) else {
            return Vec::new();
        };
        let calibrates = conversion.tool.calibrates(precision);
        let calibration = conversion.calibration.clone().filter(|_| calibrates);
        std::iter::once(conversion.weights.clone()).chain(calibration).collect()
    }

    /// The licences of its files, each once, as SPDX names them.
    #[must_use]
    pub fn licences(self) -> Option<String> {
        let of_model = self.recipe.licence.as_ref();
        let of_files = self.files().filter_map(|file| file.licence.as_ref().or(of_model));
        let of_result = of_model.filter(|_| self.origination != Origination::Fetched);
        let all: BTreeSet<&str> = of_files.chain(of_result).map(String::as_str).collect();
        (!all.is_empty()).then(|| all.into_iter().collect::<Vec<_>>().join(", "))
    }

    /// The label of the task that brings it: `download:models/NAME/PRECISION`,
    /// `download:models/NAME` for the files that all precisions share, or
    /// `convert:models/NAME/PRECISION`.
    #[must_use]
    pub fn label(self) -> String {
        let name = &self.recipe.name;
        let verb = match self.origination {
            Origination::Fetched => "download",
            Origination::Converted(_) => "convert",
        };
        match self.precision {
            Some(precision) => format!("{verb}:models/{name}/{precision}"),
            None => format!("{verb}:models/{name}"),
        }
    }

    /// What `lp` does for its files, to follow "`lp`".
    #[must_use]
    pub fn verb(self) -> &'static str {
        match self.origination {
            Origination::Fetched => "downloads",
            Origination::Converted(_) => "makes",
        }
    }
}

impl Recipe {
    /// The groups of its files.
    pub fn groups(&self) -> impl Iterator<Item = FileGroup<'_>> {
        let fetched: BTreeSet<Option<&str>> =
            self.files.iter().map(|file| file.precision.as_deref()).collect();
        let fetched = fetched.into_iter().map(|precision| (precision, Origination::Fetched));
        let converted = self.conversion.iter().flat_map(|conversion| {
            let precisions = conversion.precisions.iter().map(|precision| Some(precision.as_str()));
            precisions.map(move |precision| (precision, Origination::Converted(conversion)))
        });
        let group = |(precision, origination)| FileGroup { recipe: self, precision, origination };
        fetched.chain(converted).map(group)
    }
}

/// All recipes of a project, by name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Recipes {
    by_name: BTreeMap<String, Recipe>,
    by_path: BTreeMap<ProjectPath, String>,
    /// Labels of groups whose files are the user's own.
    own: BTreeSet<String>,
}

impl Recipes {
    /// These recipes; of two with one name, the later counts.
    #[must_use]
    pub fn new(recipes: impl IntoIterator<Item = Recipe>) -> Recipes {
        let by_name: BTreeMap<String, Recipe> =
            recipes.into_iter().map(|recipe| (recipe.name.clone(), recipe)).collect();
        let paths = |recipe: &Recipe| {
            let paths = recipe.groups().flat_map(FileGroup::paths);
            paths.map(|path| (path, recipe.name.clone())).collect::<Vec<_>>()
        };
        let by_path = by_name.values().flat_map(paths).collect();
        Recipes { by_name, by_path, own: BTreeSet::new() }
    }

    #[must_use]
    pub fn named(&self, name: &str) -> Option<&Recipe> {
        self.by_name.get(name)
    }

    /// The names of all models.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.by_name.keys().map(String::as_str)
    }

    /// The group that has the file at `path`.
    #[must_use]
    pub fn group_of(&self, path: &ProjectPath) -> Option<FileGroup<'_>> {
        let recipe = self.by_name.get(self.by_path.get(path)?)?;
        recipe.groups().find(|group| group.paths().contains(path))
    }

    /// What a file at this place must be, if a recipe has it.
    #[must_use]
    pub fn pins_of(&self, path: &ProjectPath) -> Option<&Pins> {
        let recipe = self.by_name.get(self.by_path.get(path)?)?;
        recipe.files.iter().find(|file| file.path == *path).map(|file| &file.pins)
    }

    /// All groups, in the order of their names.
    pub fn groups(&self) -> impl Iterator<Item = FileGroup<'_>> {
        self.by_name.values().flat_map(Recipe::groups)
    }

    /// Leaves the files of a group to the user, who has put some in their places.
    pub fn leave_to_user(&mut self, label: String) {
        self.own.insert(label);
    }

    /// Whether the files of a group are left to the user.
    #[must_use]
    pub fn is_users(&self, group: FileGroup<'_>) -> bool {
        !self.own.is_empty() && self.own.contains(&group.label())
    }
}
