//! Reads recipes of models: `configs/models/*.toml`, those that are part of `lp` and those
//! of a project, in one format. `docs/assets.md` describes it.
//!
//! A recipe of a project counts instead of one of `lp` with the same name, or adds to it if
//! it has no files. Two recipes of one project for one model, or for one file, are a fault.
//!
//! Not here: whether a step's model has a recipe (`models`).

use std::collections::BTreeMap;
use std::sync::LazyLock;

use super::asset::{fetch_url, hex};
use super::conversion::{RawConversion, conversion};
use super::device::precision;
use super::model_path::place_below;
use super::package::source;
use super::reader::{At, KeyNames, Reader, Table, by, map_of, table};
use super::shape::{Shape, UnknownKeys, unseen};
use super::toml;
use super::tree::Node;
use super::values::{filled_list_of, list_of, spanned, string, whole};
use crate::diag::codes;
use crate::diag::{Diagnostic, Diagnostics, FileId, Place};
use crate::model::{AssetSource, FileGroup, Origination, Recipe, RecipeFile, Recipes};
use crate::os::http::Pins;
use crate::path::{ProjectPath, is_file_name};

/// The folder of a project's own recipes.
pub(super) const FOLDER: &str = "configs/models";

/// The recipes that are part of `lp`.
const SHIPPED: [&str; 6] = [
    include_str!("../../configs/models/calibration.toml"),
    include_str!("../../configs/models/open-model-zoo.toml"),
    include_str!("../../configs/models/openvino.toml"),
    include_str!("../../configs/models/pipeline-zoo.toml"),
    include_str!("../../configs/models/registries.toml"),
    include_str!("../../configs/models/ultralytics.toml"),
];

/// The recipes that are part of `lp`; their places are nowhere.
pub(super) fn shipped() -> &'static [Recipe] {
    static RECIPES: LazyLock<Vec<Recipe>> = LazyLock::new(|| {
        let mut faults = Diagnostics::new();
        let parsed = SHIPPED.map(|text| toml::parse(FileId::default(), text, &mut faults).tree);
        let recipes = parsed.iter().flat_map(|tree| read(tree, &mut faults)).collect();
        assert!(!faults.has_errors(), "the recipes of `lp` are sound: {faults:?}");
        recipes
    });
    &RECIPES
}

/// The recipes of `lp` and those of a project, of which the latter count.
pub(super) fn join(own: Vec<Recipe>, diagnostics: &mut Diagnostics) -> Recipes {
    let own: Vec<Recipe> = own.into_iter().map(with_files_of_lp).collect();
    let mut by_name: BTreeMap<&str, &Recipe> = BTreeMap::new();
    for recipe in shipped() {
        by_name.insert(&recipe.name, recipe);
    }
    let mut names: BTreeMap<&str, Place> = BTreeMap::new();
    for recipe in &own {
        if let Some(first) = names.insert(&recipe.name, recipe.place) {
            let message = format!("the model `{}` has two recipes", recipe.name);
            diagnostics.push(twice(message, recipe.place, first));
        }
        by_name.insert(&recipe.name, recipe);
    }
    let mut paths: BTreeMap<ProjectPath, (&str, Place)> = BTreeMap::new();
    // Those of `lp` first: a fault is one of the project's.
    let (of_lp, of_project): (Vec<&Recipe>, Vec<&Recipe>) =
        by_name.into_values().partition(|recipe| recipe.place.is_nowhere());
    for recipe in of_lp.into_iter().chain(of_project) {
        let fetched = recipe.files.iter().map(|file| (file.path.clone(), file.place));
        let converted = recipe.groups().filter(|group| group.origination != Origination::Fetched);
        let converted = converted.flat_map(FileGroup::paths).map(|path| (path, recipe.place));
        for (path, place) in fetched.chain(converted) {
            if let Some((model, first)) = paths.insert(path.clone(), (&recipe.name, place)) {
                let message = format!("`{path}` is a file of the model `{model}` already");
                diagnostics.push(twice(message, place, first));
            }
        }
    }
    Recipes::new(shipped().iter().cloned().chain(own))
}

/// A recipe without files, added to that of `lp` with its name.
fn with_files_of_lp(recipe: Recipe) -> Recipe {
    let of_lp = shipped().iter().find(|of_lp| of_lp.name == recipe.name).cloned();
    let Some(mut of_lp) = of_lp.filter(|_| recipe.files.is_empty()) else { return recipe };
    let known = std::mem::take(&mut of_lp.precisions);
    let new = recipe.precisions.into_iter().filter(|precision| !known.contains(precision));
    let precisions = known.iter().cloned().chain(new).collect();
    Recipe {
        precisions,
        licence: recipe.licence.or(of_lp.licence),
        origin: recipe.origin.or(of_lp.origin),
        notes: recipe.notes.or(of_lp.notes),
        by_hand: recipe.by_hand.or(of_lp.by_hand),
        conversion: recipe.conversion.or(of_lp.conversion),
        place: recipe.place,
        ..of_lp
    }
}

fn twice(message: String, place: Place, first: Place) -> Diagnostic {
    let error = Diagnostic::error(codes::DUPLICATE_RECIPE, message).at(place);
    error.label("again here").also(first, "first here")
}

/// The recipes of one file.
pub(super) fn read(tree: &Node, diagnostics: &mut Diagnostics) -> Vec<Recipe> {
    let at = At { name: "the file".to_owned(), node: tree };
    file().read(&at, diagnostics).unwrap_or_default()
}

/// The whole file.
pub(super) fn file() -> impl Reader<Value = Vec<Recipe>> + Copy {
    table(KeyNames::Plain, UnknownKeys::Refuse, |table, diagnostics| {
        let common = about(table, diagnostics);
        let convert = "How the models are made out of weights";
        let convert = table.optional("convert", convert, conversion(), diagnostics);
        let models = "The models, by name; the keys above hold for each that does not give its own";
        let models = table.required("model", models, models_map(), diagnostics)?;
        let own_or_common = |(recipe, own): (Recipe, Option<RawConversion>)| Recipe {
            conversion: own.as_ref().or(convert.as_ref()).and_then(|raw| raw.of(&recipe.name, diagnostics)),
            precisions: if recipe.precisions.is_empty() && recipe.files.is_empty() {
                common.precisions.clone()
            } else {
                recipe.precisions
            },
            licence: recipe.licence.or_else(|| common.licence.clone()),
            origin: recipe.origin.or_else(|| common.origin.clone()),
            notes: recipe.notes.or_else(|| common.notes.clone()),
            by_hand: recipe.by_hand.or_else(|| common.by_hand.clone()),
            ..recipe
        };
        Some(models.into_iter().map(own_or_common).map(with_precisions).collect())
    })
}

/// The same with the precisions of its files and of its conversion.
fn with_precisions(mut recipe: Recipe) -> Recipe {
    let of_files = recipe.files.iter().filter_map(|file| file.precision.as_ref());
    let of_conversion = recipe.conversion.iter().flat_map(|conversion| &conversion.precisions);
    for precision in of_files.chain(of_conversion) {
        if !recipe.precisions.contains(precision) {
            recipe.precisions.push(precision.clone());
        }
    }
    recipe
}

/// The keys about a model, or about all of a file.
fn about(table: &mut Table<'_>, diagnostics: &mut Diagnostics) -> Recipe {
    let licence = "Its licence, as SPDX names it";
    let origin = "A page about it";
    let notes = "What its users should know, in one sentence";
    let by_hand = "How to get files that `lp` cannot download";
    let precisions = "Precisions in which it exists, besides those of its files";
    let precisions = table.optional("precisions", precisions, list_of(precision()), diagnostics);
    Recipe {
        licence: table.optional("licence", licence, string(), diagnostics),
        origin: table.optional("origin", origin, fetch_url(), diagnostics),
        notes: table.optional("notes", notes, string(), diagnostics),
        by_hand: table.optional("by_hand", by_hand, lines(), diagnostics),
        precisions: precisions.unwrap_or_default(),
        ..Recipe::default()
    }
}

fn models_map() -> impl Reader<Value = Vec<(Recipe, Option<RawConversion>)>> + Copy {
    // A plain name without a dot or dash at its beginning.
    let names = concat!(r"^[^/.\-", unseen!(), r"][^/", unseen!(), r"]*$");
    map_of(
        KeyNames::Path,
        UnknownKeys::Refuse,
        names,
        || model().shape(),
        |key, at, diagnostics| {
            let (recipe, conversion) = model().read(at, diagnostics)?;
            if !is_file_name(&key.text) {
                let message = format!("`{}` cannot be the name of a model", key.text.escape_debug());
                let fault = Diagnostic::error(codes::BAD_NAME, message).at(key.place);
                diagnostics.push(fault.label("expected a plain name such as `yolo11n`"));
                return None;
            }
            Some((Recipe { name: key.text.clone(), place: key.place, ..recipe }, conversion))
        },
    )
}

fn model() -> impl Reader<Value = (Recipe, Option<RawConversion>)> + Copy {
    table(KeyNames::Path, UnknownKeys::Refuse, |table, diagnostics| {
        let recipe = about(table, diagnostics);
        let files = "The files to download";
        let files = table.optional("files", files, list_of(recipe_file()), diagnostics);
        let convert = "How it is made out of weights";
        let convert = table.optional("convert", convert, conversion(), diagnostics);
        Some((Recipe { files: files.unwrap_or_default(), ..recipe }, convert))
    })
}

fn recipe_file() -> impl Reader<Value = RecipeFile> + Copy {
    table(KeyNames::Path, UnknownKeys::Refuse, |table, diagnostics| {
        let path = "Its place in the folder of models";
        let path = table.required("path", path, spanned(place_below()), diagnostics);
        let of = "The precision that it belongs to; all of them if not given";
        let precision = table.optional("precision", of, precision(), diagnostics);
        let urls = "URLs to try, in order";
        let (has_urls, has_source) = (table.has("urls"), table.has("source"));
        let urls = table.optional("urls", urls, filled_list_of(fetch_url()), diagnostics);
        let about = "A file of a package of PyPI or npm, or of Hugging Face, instead of URLs";
        let source = table.optional("source", about, source(), diagnostics);
        table.needs_one_of(&["urls", "source"]);
        let sha256 = "Its SHA-256 digest, 64 hex digits; at least one digest is required";
        let sha384 = "Its SHA-384 digest, 96 hex digits";
        let blob = "Its digest in Git, 40 hex digits, as `git hash-object` prints it";
        table.needs_one_of(&["sha256", "sha384", "git_blob_sha1"]);
        let has_digest = ["sha256", "sha384", "git_blob_sha1"].into_iter().any(|key| table.has(key));
        let sha256 = table.optional("sha256", sha256, hex(64), diagnostics);
        let sha384 = table.optional("sha384", sha384, hex(96), diagnostics);
        let git_blob_sha1 = table.optional("git_blob_sha1", blob, hex(40), diagnostics);
        let size = "Its size in bytes";
        let size = table.optional("size", size, whole(1, 1 << 50), diagnostics);
        let licence = "Its licence, if it differs from the model's";
        let licence = table.optional("licence", licence, string(), diagnostics);
        if !has_digest {
            let fault = Diagnostic::error(codes::MISSING_KEY, "the file has no digest");
            let place = path.as_ref().map_or(table.place(), |path| path.place);
            diagnostics.push(fault.at(place).help("give its `sha256`: `sha256sum FILE` prints it"));
        }
        let place = path.as_ref().map_or(table.place(), |path| path.place);
        if !has_urls && !has_source {
            let fault = Diagnostic::error(codes::MISSING_KEY, "the file has no `urls` and no `source`");
            diagnostics.push(fault.at(place));
        }
        if has_urls && has_source {
            let message = "`source` says where the file comes from, so `urls` have no effect";
            let fault = Diagnostic::error(codes::BAD_SOURCE, message).at(place);
            diagnostics.push(fault.help("delete `urls`, or `source`"));
        }
        let path = path?;
        let (urls, source) = match source.map(|source| source.value) {
            Some(AssetSource::Url(url)) => (vec![url], None),
            Some(AssetSource::Package(source)) => (Vec::new(), Some(source)),
            None => (urls?, None),
        };
        Some(RecipeFile {
            path: path.value,
            precision,
            urls,
            source,
            pins: Pins { sha256, sha384, blake3: None, git_blob_sha1, size },
            licence,
            place: path.place,
        })
    })
}

/// One or more lines of text.
fn lines() -> impl Reader<Value = String> + Copy {
    by(
        || Shape::String(None),
        |at, diagnostics| {
            let text = super::values::read_any_string(at, diagnostics)?;
            if text.lines().any(|line| line.contains(crate::text::is_unseen)) {
                diagnostics.push(super::values::unseen(at, &text));
                return None;
            }
            Some(text)
        },
    )
}
