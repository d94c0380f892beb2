//! `lp cache`: one file per command.
//!
//! All but `key` need only the path of the store, and some the project's folders, so
//! that they work although the config has errors.

mod gc;
mod key;
mod show;
mod stats;
mod verify;

use super::args::{CacheArgs, CacheCommand, Global};
use super::project::{store_layout, store_root};
use super::{Exit, console};
use crate::os::lock::{BuildLock, Holder, Waiter};
use crate::os::signal::cancel_on_signals;
use crate::path::Layout;
use crate::store::Store;
use crate::text::counted;
use crate::workspace::error::Result;

pub(super) fn run(global: &Global, args: &CacheArgs) -> Result<Exit> {
    if let CacheCommand::Key { json } = args.command {
        return key::run(global, json);
    }
    let layout = match args.command {
        CacheCommand::Show { .. } | CacheCommand::Clean { .. } => Layout::new(store_root(global)?),
        _ => store_layout(global)?,
    };
    let store = Store::open(layout)?;
    match &args.command {
        CacheCommand::Show { what: None, json } => {
            show::list(&store, *json);
            Ok(Exit::Done)
        }
        CacheCommand::Show { what: Some(what), json } => show::show(&store, what, *json),
        CacheCommand::Stats { json } => stats::run(&store, *json),
        CacheCommand::Gc(args) => gc::run(&store, args),
        CacheCommand::Verify { json } => verify::run(&store, *json),
        CacheCommand::Key { .. } => unreachable!("it needs no store"),
        CacheCommand::Clean { json } => clean(&store, *json),
    }
}

/// Takes the build lock; names the holder while it waits.
pub(super) fn lock(store: &Store) -> Result<BuildLock> {
    let cancel = cancel_on_signals()?;
    let mut on_wait = |holder: &Holder| console::waiting(&holder.awaited());
    let is_cancelled = || cancel.is_cancelled();
    let mut waiting = Waiter { on_wait: &mut on_wait, is_cancelled: &is_cancelled };
    Ok(BuildLock::acquire(&store.lock_path(), &mut waiting)?)
}

/// Whether the store is empty; if so, prints that.
fn is_empty(store: &Store) -> bool {
    let is_empty = !store.root().is_dir();
    if is_empty {
        console::note("the store is empty");
    }
    is_empty
}

fn clean(store: &Store, json: bool) -> Result<Exit> {
    let n_deleted = if !store.root().is_dir() {
        0
    } else {
        let lock = lock(store)?;
        store.reload()?;
        let n_deleted = store.clean()?;
        drop(lock);
        n_deleted
    };
    if json {
        console::out(&format!("{:#}\n", serde_json::json!({ "version": 1, "attempts": n_deleted })));
    } else if !is_empty(store) {
        console::note(&format!("deleted {}; measurements are kept", counted(n_deleted, "attempt")));
    }
    Ok(Exit::Done)
}
