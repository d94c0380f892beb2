//! Puts outputs into the store and restores them.
//!
//! *Capturing* puts a task's outputs into the store; *restoring* puts them back
//! into place by reflink, else hard link from 1 MiB up, else copy. Restoring checks
//! every blob before it touches anything, and never writes through an existing
//! link: it deletes the file in place, and renames the new one.
//!
//! A hard-linked output is read-only and shares its inode with the blob. A write to
//! it (root can) changes the blob too; the blob's identity shows that, and the blob
//! counts as lost.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};

use super::attempt::{Modes, OutputEntry, OutputKind};
use super::cas::Put;
use super::{Store, StoreError};
use crate::digest::ContentDigest;
use crate::os::failpoint;
use crate::os::fs::{self, Context, Executable, FsError, Linking, Placement, StatIdentity};
use crate::os::tree::{LinkTarget, Listing, Node};
use crate::path::ProjectPath;

/// The size limit of a listing or a link's target.
pub(super) const SMALL: u64 = 256 << 20;

impl Store {
    /// Puts the output `path`, which is at `from` now, into the store.
    ///
    /// With [`Put::Move`] it may be gone from there afterwards; [`Store::restore`]
    /// puts it into the project. With [`Put::Share`] it stays.
    ///
    /// # Errors
    /// When it does not exist ([`StoreError::OutputMissing`]), or cannot be read or
    /// stored.
    pub fn capture(&self, path: &ProjectPath, from: &Path, put: Put) -> Result<OutputEntry, StoreError> {
        let Some((mut entry, listing)) = self.observe_at(path, from)? else {
            return Err(StoreError::OutputMissing { path: path.clone() });
        };
        self.create()?;
        entry.modes = modes(from, listing.as_ref())?;
        match (entry.kind, listing) {
            (OutputKind::Symlink, _) => {
                self.cas.put_bytes(crate::os::tree::read_link(from)?.as_bytes())?;
            }
            (OutputKind::Dir, Some(listing)) => {
                for item in listing.items() {
                    if let Node::File { content, executable } = &item.node {
                        let file = from.join(item.name.as_path());
                        self.store_file(&file, content, Executable::from(*executable), put)?;
                    }
                }
                self.cas.put_bytes(&listing.bytes())?;
                if put == Put::Move {
                    fs::remove(from)?;
                }
            }
            _ => self.store_file(from, &entry.content, Executable::from(entry.executable), put)?,
        }
        Ok(entry)
    }

    fn store_file(
        &self,
        from: &Path,
        content: &ContentDigest,
        executable: Executable,
        put: Put,
    ) -> Result<(), FsError> {
        let blob = self.cas.path(content);
        if self.cas.contains(content) && self.digest_of(&blob)? != *content {
            self.cas.remove(content)?;
            self.state_mut().forget(&blob);
        }
        // A large file may have been written while it was read, and once it is
        // linked its times no longer show that.
        let before = StatIdentity::read(from).context("look at", from)?;
        if before.size >= fs::LINK_FROM && self.digest_of(from)? != *content {
            let source = std::io::Error::other("it changed while it was stored");
            return Err(FsError { action: "store", path: from.to_path_buf(), source });
        }
        let placed = self.cas.put_file(from, content, executable, put)?;
        if placed == Some(Placement::Linked) {
            let after = StatIdentity::read(&blob).context("look at", &blob)?;
            if (after.size, after.mtime_ns) == (before.size, before.mtime_ns) {
                self.remember_linked(&blob, *content)?;
                if put == Put::Share {
                    self.remember_linked(from, *content)?;
                }
            }
        }
        if put == Put::Move {
            self.state_mut().forget(from);
        }
        Ok(())
    }

    /// Restores the missing and changed ones of `outputs`, and returns their paths.
    ///
    /// # Errors
    /// [`StoreError::BlobLost`] when the store has lost the contents of one;
    /// nothing has been touched then. Otherwise when a file cannot be written.
    pub fn restore(&self, outputs: &[OutputEntry]) -> Result<Vec<ProjectPath>, StoreError> {
        let mut missing = Vec::new();
        for output in outputs {
            if self.amiss(std::slice::from_ref(output)).is_some() {
                missing.push(output);
            }
        }
        let mut plans = Vec::new();
        for output in missing {
            plans.push((output, self.plan_for(output)?));
        }
        let mut restored = Vec::new();
        for (output, plan) in plans {
            self.write_out(output, plan)?;
            restored.push(output.path.clone());
        }
        Ok(restored)
    }

    /// Whether the store has the blobs of `output`. Reads listings only, so a blob
    /// may still be damaged.
    pub(super) fn has_blobs(&self, output: &OutputEntry) -> bool {
        match output.kind {
            OutputKind::Dir => self.children(output).is_ok_and(|listing| {
                listing.items().iter().all(|item| match &item.node {
                    Node::File { content, .. } => self.cas.contains(content),
                    _ => true,
                })
            }),
            _ => self.cas.contains(&output.content),
        }
    }

    /// The blobs that restoring `output` needs.
    pub(super) fn blobs_of(&self, output: &OutputEntry) -> Vec<ContentDigest> {
        let mut blobs = vec![output.content];
        if output.kind == OutputKind::Dir
            && let Ok(listing) = self.children(output)
        {
            blobs.extend(contents(&listing));
        }
        blobs
    }

    fn children(&self, output: &OutputEntry) -> Result<Listing, StoreError> {
        let bytes = self.cas.read(&output.content, SMALL);
        bytes.and_then(|bytes| Listing::parse(&bytes)).ok_or_else(|| lost(output, output.content))
    }

    /// Checks every blob that `output` needs.
    fn plan_for(&self, output: &OutputEntry) -> Result<Plan, StoreError> {
        match output.kind {
            OutputKind::File => {
                self.check_blob(output, &output.content)?;
                Ok(Plan::File)
            }
            OutputKind::Dir => {
                let listing = self.children(output)?;
                for item in listing.items() {
                    if let Node::File { content, .. } = &item.node {
                        self.check_blob(output, content)?;
                    }
                }
                Ok(Plan::Dir(listing))
            }
            OutputKind::Symlink => {
                let target = self.cas.read(&output.content, SMALL).and_then(LinkTarget::from_bytes);
                target.map(Plan::Symlink).ok_or_else(|| lost(output, output.content))
            }
        }
    }

    /// Checks that a blob's bytes match its name. If not, the blob is deleted, or
    /// nothing could ever be stored under that name again.
    fn check_blob(&self, output: &OutputEntry, content: &ContentDigest) -> Result<(), StoreError> {
        match self.digest_of(&self.cas.path(content)) {
            Ok(found) if found == *content => Ok(()),
            Ok(_) => {
                self.cas.remove(content)?;
                self.state_mut().forget(&self.cas.path(content));
                Err(lost(output, *content))
            }
            Err(error) if error.is_not_found() => Err(lost(output, *content)),
            Err(error) => Err(error.into()),
        }
    }

    fn write_out(&self, output: &OutputEntry, plan: Plan) -> Result<(), StoreError> {
        let place = self.layout.resolve(&output.path);
        fs::create_parent(&place)?;
        // The temporary file is in the store, where the next build deletes
        // leftovers of a killed `lp`, unless it could not be renamed from there.
        let mut put = match self.cas.temporary()? {
            temporary if is_on_one_device(&temporary, &place) => {
                self.put_in_place(output, &plan, &temporary, &place)
            }
            _ => Err(io::Error::from(io::ErrorKind::CrossesDevices)).context("create", &place),
        };
        if put.as_ref().is_err_and(|error| error.source.kind() == io::ErrorKind::CrossesDevices) {
            put = self.put_in_place(output, &plan, &fs::temporary_beside(&place), &place);
        }
        put?;
        match plan {
            Plan::File => self.remember_linked(&place, output.content)?,
            Plan::Symlink(_) => {}
            Plan::Dir(listing) => {
                for item in listing.items() {
                    if let Node::File { content, .. } = &item.node {
                        self.remember_linked(&place.join(item.name.as_path()), *content)?;
                    }
                }
            }
        }
        Ok(())
    }

    fn put_in_place(
        &self,
        output: &OutputEntry,
        plan: &Plan,
        temporary: &Path,
        place: &Path,
    ) -> Result<(), FsError> {
        let made = match plan {
            Plan::File => {
                self.place_blob(&output.content, temporary, output.executable.into(), output.modes.own)
            }
            Plan::Symlink(target) => fs::symlink(target.as_path(), temporary),
            Plan::Dir(listing) => self.place_tree(listing, &output.modes, temporary),
        };
        failpoint::hit("store.before-place");
        // The old output is deleted only now, and never written to: it may be a
        // link to a blob.
        let renamed = made.and_then(|()| fs::remove(place)).and_then(|()| fs::rename(temporary, place));
        if renamed.is_err() {
            let _ = fs::remove(temporary);
        }
        renamed
    }

    fn place_tree(&self, listing: &Listing, modes: &Modes, folder: &Path) -> Result<(), FsError> {
        let create_dir = |path: &Path, mode: Option<u32>| {
            fs::create_dir(path)?;
            mode.map_or(Ok(()), |mode| fs::restrict_folder(path, mode))
        };
        create_dir(folder, modes.own)?;
        for item in listing.items() {
            let path: PathBuf = folder.join(item.name.as_path());
            let mode = modes.below.get(&item.name).copied();
            match &item.node {
                Node::Dir => create_dir(&path, mode)?,
                Node::Symlink { target } => {
                    fs::symlink(target.as_path(), &path)?;
                }
                Node::File { content, executable } => {
                    self.place_blob(content, &path, (*executable).into(), mode)?;
                }
            }
        }
        Ok(())
    }

    fn place_blob(
        &self,
        content: &ContentDigest,
        to: &Path,
        executable: Executable,
        mode: Option<u32>,
    ) -> Result<(), FsError> {
        let blob = self.cas.path(content);
        let found = fs::metadata(&blob)?;
        // A change to the mode of an output that shares the blob's inode changes
        // the blob's mode too, and a new link would have it again.
        if Executable::of(&found) == Executable::Yes {
            fs::protect(&blob, 0o444)?;
        }
        let is_alike = executable == Executable::No && mode.is_none() && fs::restricted(&found).is_none();
        let linking = if is_alike { Linking::Allowed } else { Linking::Never };
        let mode = executable.mode() & mode.unwrap_or(0o777);
        if fs::place(&blob, to, mode, linking)? == Placement::Linked {
            // Both names have a new identity now, with unchanged bytes.
            self.remember_linked(&blob, *content)?;
        }
        Ok(())
    }
}

/// The permissions of the output at `place`, where not everybody may read it.
fn modes(place: &Path, listing: Option<&Listing>) -> Result<Modes, FsError> {
    let of = |path: &Path| {
        let found = fs::look(path)?.filter(|metadata| !metadata.is_symlink());
        Ok(found.and_then(|metadata| fs::restricted(&metadata)))
    };
    let mut modes = Modes { own: of(place)?, below: BTreeMap::new() };
    for item in listing.map_or(&[][..], Listing::items) {
        if let Some(mode) = of(&place.join(item.name.as_path()))? {
            modes.below.insert(item.name.clone(), mode);
        }
    }
    Ok(modes)
}

/// The contents of the files in a folder.
pub(super) fn contents(listing: &Listing) -> impl Iterator<Item = ContentDigest> {
    listing.items().iter().filter_map(|item| match &item.node {
        Node::File { content, .. } => Some(*content),
        _ => None,
    })
}

/// Whether the folders of two files are on one file system, as far as is known.
fn is_on_one_device(one: &Path, other: &Path) -> bool {
    let device = |path: &Path| Some(StatIdentity::read(path.parent()?).ok()?.device);
    device(one).is_some_and(|found| device(other) == Some(found))
}

/// The steps to restore an output, its blobs checked.
enum Plan {
    File,
    Dir(Listing),
    Symlink(LinkTarget),
}

fn lost(output: &OutputEntry, content: ContentDigest) -> StoreError {
    StoreError::BlobLost { path: output.path.clone(), content }
}
